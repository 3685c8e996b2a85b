// IdSource: 63-bit ids that grow with time and never come from a database sequence.
//
// Use it for primary keys: neighbours in time are neighbours in the B-tree, so that inserts touch
// the last page only. Not for secrets: ids are guessable.
//
//   IdSource ids(SystemClock::get());
//   const std::int64_t voucher_id = ids.next(/*tag=*/1);
//   CARREL_ASSERT(IdSource::tag_of(voucher_id) == 1, "the tag is in the id");
//
// Layout, high to low: 41 bits milliseconds since 2024-01-01 (lasts until 2093), 14 bits sequence,
// 8 bits tag. The tag is the caller's: it says in the id itself to whom a row belongs. More than
// 16,384 ids in a millisecond borrow from the next one; a clock that steps back is waited out by
// counting on from the last id. Ids of one source are strictly increasing.
//
// Threads: next() is lock-free and safe from any. Lifetime: the clock outlives the source.
// Two processes that write to one database need tags (or databases) of their own.
#pragma once

#include <atomic>
#include <cstdint>

#include "carrel/base/clock.h"

namespace carrel {

class IdSource {
 public:
  explicit IdSource(const Clock& clock) noexcept : clock_(clock) {}

  [[nodiscard]] std::int64_t next(std::uint8_t tag = 0) noexcept { return next_block(tag, 1); }
  // The first of `count` ids that follow each other at a distance of 256: all of them are the
  // caller's. For rows that belong together and shall be neighbours.
  [[nodiscard]] std::int64_t next_block(std::uint8_t tag, std::int64_t count) noexcept;
  // Ids from now on are greater than this one: for ids kept from before a restart, in case the
  // clock was set back in between.
  void continue_after(std::int64_t id) noexcept;

  [[nodiscard]] static constexpr std::uint8_t tag_of(std::int64_t id) noexcept {
    return static_cast<std::uint8_t>(id & 0xff);
  }

 private:
  const Clock& clock_;
  std::atomic<std::int64_t> last_{0};  // milliseconds and sequence, without the tag
};

}  // namespace carrel
