// Slot: a place in a pool, with or without a connection in it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/connection.h"
#include "db/wait_graph.h"

namespace carrel::db {

// A short text that one thread writes while others may read it. A torn read shows two halves of two
// names in a leak report, which is harmless; it is no data race.
class Label {
 public:
  void set(std::string_view text) noexcept;
  [[nodiscard]] std::string get() const;

 private:
  static constexpr std::size_t kWords = 6;
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

// The addresses of the calls that led to a borrow; the same about torn reads.
class CallStack {
 public:
  static constexpr std::size_t kFramesMax = 24;

  // From the call that returns to `from` on: the frames further in are the pool's own.
  void take(std::size_t frames, const void* from) noexcept;
  // Looks the names up, which takes long.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::array<std::atomic<void*>, kFramesMax> frames_{};
};

// When the loan of a slot began, and whether it was reported as too long: for its holder and, at
// the same time, for another thread that looks after the pool. A report is of one loan, told by
// when it began, so that one which ends meanwhile leaves none to the next.
class LoanWatch {
 public:
  using Time = Clock::Steady::rep;

  void begin(Time now) noexcept { began_.store(now, std::memory_order_release); }
  // Nothing: not on loan, or not watched.
  [[nodiscard]] std::optional<Time> began() const noexcept {
    const auto began = began_.load(std::memory_order_acquire);
    return began == kNotOnLoan ? std::nullopt : std::optional(began);
  }
  // Whether the loan that began then is to be reported now: not yet done, and it still lasts.
  [[nodiscard]] bool report(Time began) noexcept {
    return reported_.exchange(began, std::memory_order_acq_rel) != began &&
           began_.load(std::memory_order_acquire) == began;
  }
  // When the loan that ends now began, if it was reported.
  [[nodiscard]] std::optional<Time> end() noexcept {
    const auto began = began_.exchange(kNotOnLoan, std::memory_order_acq_rel);
    const bool reported = reported_.load(std::memory_order_acquire) == began;
    return reported ? std::optional(began) : std::nullopt;
  }

 private:
  static constexpr Time kNotOnLoan = std::numeric_limits<Time>::min();
  std::atomic<Time> began_{kNotOnLoan};
  std::atomic<Time> reported_{kNotOnLoan};
};

class Lane;

// Plain members belong to whoever holds the slot; atomic ones are also read by others. What every
// borrow touches stands first, in one cache line.
struct alignas(64) Slot {
  std::atomic<std::uint64_t>* word =
      nullptr;  // where the lane keeps the slot's idle bit; see lane.h
  std::uint64_t bit = 0;
  std::unique_ptr<Connection> connection;
  std::atomic<Holder*> holder{nullptr};
  std::atomic<std::uint64_t> borrowed{0};
  Clock::Steady measured_since{};  // of the current borrow, if it is a sampled one
  Clock::Steady expires = kNoDeadline;
  std::atomic<Clock::Steady::rep> idle_since{0};

  Lane* lane = nullptr;
  std::uint32_t index = 0;                  // in the lane
  Clock::Steady asked{};                    // for a sign of life while it idled, last
  LoanWatch loan;                           // kept only where leaks are reported
  std::atomic<std::uint64_t> samples{0};    // borrows that were sampled and have ended
  std::atomic<std::int64_t> sampled_ns{0};  // of the sampled borrows: how long they lasted
  std::atomic<std::int64_t> busy_ns{0};     // and how much of that ran SQL
  Label label;
  CallStack borrowed_from;
  std::atomic<std::uint64_t> steps{0};  // into calls and out of them: odd inside; see above
};

// Counts up without a locked instruction, since only the holder of the slot writes. Returns what
// the counter was.
inline std::uint64_t count_up(std::atomic<std::uint64_t>& counter) noexcept {
  const auto before = counter.load(std::memory_order_relaxed);
  counter.store(before + 1, std::memory_order_relaxed);
  return before;
}

}  // namespace carrel::db
