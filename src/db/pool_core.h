// Pool::Core: what stands behind a Pool.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "db/connect_pause.h"
#include "db/group_core.h"
#include "db/lane.h"
#include "db/lingering.h"

namespace carrel {

class Pool::Core final : private db::GroupMember {
 public:
  Core(PoolOptions options, Driver& driver);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  [[nodiscard]] Lease borrow(const BorrowOptions& options);
  void give_back(db::Slot& slot) noexcept;
  bool drain(Clock::Steady deadline);
  void maintain();
  [[nodiscard]] PoolStats stats() const;

  [[nodiscard]] const PoolOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Driver::Traits& traits() const noexcept { return traits_; }

 private:
  enum class Closed : std::uint8_t { broken, idle, life, invalid, for_group, drained };
  static constexpr std::uint64_t kBorrowsPerSample = 64;

  static PoolOptions with_group(PoolOptions options);
  [[nodiscard]] static db::GroupCore* core_of(PoolGroup* group) noexcept;
  [[nodiscard]] db::Slot* longest_idle() noexcept;  // null: none idles
  [[nodiscard]] std::int64_t idles_since() noexcept override;
  [[nodiscard]] db::Slot* claim_longest_idle() noexcept override;
  void close_claimed(db::Slot& slot) noexcept override;
  void look_after() override { maintain(); }

  [[nodiscard]] std::uint32_t lane_for(Access access) const noexcept {
    return access == Access::read_only && lanes_.size() > 1 ? 1 : 0;
  }
  [[nodiscard]] Clock::Steady deadline_of(const BorrowOptions& options) const noexcept;
  // What this thread shall try first next time. Only once no code of drivers and labels comes any
  // more: it may borrow on this thread too, from pools whose numbers clash with this one's.
  [[nodiscard]] db::Slot& remembered(db::Slot& slot, std::uint32_t lane) const noexcept;
  // Any but the thread's own last: an idle one, or one that is waited for. Throws.
  [[nodiscard]] Lease borrow_another(std::uint32_t lane, const BorrowOptions& options);
  // With all that a loan can need, of a slot that was taken. Throws where the connection has died
  // and cannot be replaced.
  [[nodiscard]] Lease begin_loan(db::Slot& slot, std::uint32_t lane, const BorrowOptions& options);
  // `good`: the connection is clean.
  void end_loan(db::Slot& slot, bool good) noexcept;
  [[nodiscard]] db::Slot& acquire(std::uint32_t lane, const BorrowOptions& options);
  [[noreturn]] void throw_not_granted(const db::Acquired& acquired);
  // Fills an empty slot; on failure the slot is back in the lane.
  void connect(std::uint32_t lane, std::uint32_t slot, Clock::Steady deadline);
  [[nodiscard]] bool try_connect(std::uint32_t lane, std::uint32_t slot, Clock::Steady deadline);
  [[nodiscard]] std::chrono::nanoseconds pause_left() const noexcept {
    return connect_pause_.left(options_.clock->steady_now());
  }
  // The same slot, or another where this one's connection has died. Throws.
  [[nodiscard]] db::Slot& proven(db::Slot& slot, std::uint32_t lane, const BorrowOptions& options);
  [[nodiscard]] bool is_alive(db::Slot& slot, Clock::Steady deadline) noexcept;
  [[nodiscard]] bool has_idled(const db::Slot& slot) const noexcept;
  [[nodiscard]] bool still_young(db::Slot& slot) const noexcept;
  static void begin_sample(db::Slot& slot) noexcept;
  static void end_sample(db::Slot& slot) noexcept;
  void retire(db::Slot& slot, Closed why) noexcept;
  void free_lingering() noexcept;
  void put_in_group(db::Slot& slot) noexcept;
  void close_connection(db::Slot& slot, Closed why) noexcept;
  [[nodiscard]] std::chrono::nanoseconds life_with_jitter() noexcept;

  void note_borrowed(db::Slot& slot) noexcept;
  void note_returned(db::Slot& slot) noexcept;
  void report_leak(const db::Slot& slot, std::chrono::nanoseconds held, bool returned);
  void maintain_lane(std::uint32_t lane);
  void fill_to_minimum();
  void run_maintenance();

  const PoolOptions options_;
  Driver& driver_;
  const Driver::Traits traits_;
  db::GroupCore* const group_;
  std::vector<std::unique_ptr<db::Lane>> lanes_;  // one; with a single writer: writer, readers
  const std::uint64_t id_;                        // for what threads remember
  const bool keeps_time_;                         // whether borrowing and returning read the clock
  const bool reports_leaks_;
  const std::size_t size_;  // of all lanes together
  db::Lingering lingering_;

  std::atomic<std::uint64_t> created_{0};
  std::atomic<std::uint64_t> connect_failures_{0};
  std::atomic<std::uint64_t> leaks_{0};
  std::atomic<std::uint64_t> closed_[6] = {};
  db::ConnectPause connect_pause_;  // written under mutex_
  std::atomic<std::uint64_t> jitter_state_;

  mutable std::mutex mutex_;  // the next two are guarded by mutex_
  std::string last_connect_error_;
  bool stopping_ = false;
  std::condition_variable wake_maintenance_;
  std::thread maintenance_;
};

// What a thread remembers of the pools it has used.
class LastSlots {
 public:
  // The slot that this thread used last in a lane: its statements are prepared and its memory is
  // near. Lanes whose numbers clash forget each other's. A pool that is gone left a number that no
  // other will have.
  [[nodiscard]] static db::Slot*& of(std::uint64_t lane_number) noexcept {
    auto& entry = entries_[lane_number % kEntries];
    if (entry.lane_number != lane_number) [[unlikely]]
      entry = {lane_number, nullptr};
    return entry.slot;
  }

 private:
  static constexpr std::size_t kEntries = 16;
  struct Entry {
    std::uint64_t lane_number;
    db::Slot* slot;
  };
  static inline constinit thread_local std::array<Entry, kEntries> entries_{};
};

// The two below are all that a loan from an embedded database needs, as a rule. What others need
// besides stands in functions that they end with, and for which they save fewer registers: every
// store that is under way delays a locked instruction.

inline Pool::Lease Pool::Core::borrow(const BorrowOptions& options) {
  const auto lane = lane_for(options.access);
  db::Slot* slot = LastSlots::of(id_ + lane);
  if (slot == nullptr || !db::Lane::try_take(*slot)) [[unlikely]]
    return borrow_another(lane, options);
  const auto nth = slot->borrowed.load(std::memory_order_relaxed);
  if (keeps_time_ || options.stays_on_thread || nth % kBorrowsPerSample == 0)
    return begin_loan(*slot, lane, options);
  slot->borrowed.store(nth + 1, std::memory_order_relaxed);
  return Lease(*this, *slot->connection, *slot);
}

inline void Pool::Core::give_back(db::Slot& slot) noexcept {
  auto& connection = *slot.connection;
  if (slot.measured_since != Clock::Steady()) [[unlikely]]
    end_sample(slot);
  // By the borrower's deadline, since it waits: what cannot be cleaned in time is closed.
  const bool good = connection.reset();
  connection.set_deadline(kNoDeadline);
  if (!good || keeps_time_ || slot.holder.load(std::memory_order_relaxed) != nullptr)
    return end_loan(slot, good);
  if (db::Lane::put(slot) == db::Lane::Put::closed) [[unlikely]]
    retire(slot, Closed::drained);
}

}  // namespace carrel
