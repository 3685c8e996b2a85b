// Lane: the slots of one kind in a pool, and the line of those who wait for one.
//
// Each slot is idle (its bit is set in a word), held by somebody, or empty (no connection in it).
// While nobody waits, taking and putting an idle slot are one compare-and-swap on its word. The top
// bit of every word says that somebody waits: then every take and put goes through the mutex, takes
// line up, and a put hands its slot to the head of the line. Nobody can overtake, since no bit is
// set while anybody waits.
//
// The slots are dealt out over several words, each in a cache line of its own: threads that each
// use their own last slot again then share no line. Few enough words that marking them all is
// cheap.
//
// Empty slots go to the head of the line as well: that waiter then opens the connection itself. At
// most `connecting_max` do so at a time.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "db/group_core.h"
#include "db/parker.h"
#include "db/slot.h"

namespace carrel::db {

enum class Grant : std::uint8_t {
  connected,  // a slot with an open connection
  empty,      // a slot to connect: end with connect_succeeded() or put_empty()
  timed_out,
  closed,
  deadlock
};

struct Acquired {
  Grant grant;
  std::uint32_t slot = 0;
  std::string holders = {};  // for deadlock: who holds the lane
};

struct LaneStats {
  std::size_t idle = 0;
  std::size_t empty = 0;
  std::size_t waiting = 0;
  std::uint64_t waited = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t deadlocks = 0;
  std::chrono::nanoseconds wait_time{};
};

class Lane {
 public:
  // `group` may be null; where it is not, a connection needs one of its permits.
  Lane(std::size_t size, std::size_t connecting_max, GroupCore* group = nullptr);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Slot& slot(std::size_t index) noexcept { return slots_[index]; }
  [[nodiscard]] const Slot& slot(std::size_t index) const noexcept { return slots_[index]; }

  // Without waiting and without a lock: exactly this one, if it is idle and nobody waits.
  [[nodiscard]] static bool try_take(Slot& slot) noexcept {
    auto seen = slot.word->load(std::memory_order_relaxed);
    while ((seen & kWaiting) == 0 && (seen & slot.bit) != 0) {
      // Acquire: what the last holder did to the connection is ours to see.
      if (slot.word->compare_exchange_weak(seen, seen & ~slot.bit, std::memory_order_acquire,
                                           std::memory_order_relaxed))
        return true;
    }
    return false;
  }
  // The same for any; nothing when none is idle or anybody waits.
  [[nodiscard]] Slot* try_take_any() noexcept;

  // In line. `holder` may be null: a lease that may move between threads. `label` names the holder
  // where its wait must be told to others.
  [[nodiscard]] Acquired take(Clock::Steady deadline, Holder* holder, std::string_view label);

  enum class Put : std::uint8_t {
    idle,
    handed_on,  // to the head of the line
    closed      // the lane is: close the connection and put_empty()
  };
  // Gives back a connected slot.
  [[nodiscard]] static Put put(Slot& slot) noexcept {
    auto seen = slot.word->load(std::memory_order_relaxed);
    while ((seen & kWaiting) == 0) {
      // Release: the next holder sees what was done to the connection.
      if (slot.word->compare_exchange_weak(seen, seen | slot.bit, std::memory_order_release,
                                           std::memory_order_relaxed))
        return Put::idle;
    }
    return slot.lane->put_in_line(slot.index);
  }

  // Given up or evicted: for the group's line, to which the permit is promised.
  enum class Was : std::uint8_t { connected, connecting, given_up, evicted };
  void put_empty(std::uint32_t slot, Was was) noexcept;
  void connect_succeeded() noexcept;
  // An empty slot to fill ahead of need; nothing when there is none or too many connect already.
  [[nodiscard]] std::optional<std::uint32_t> take_empty() noexcept;

  // Refuses newcomers, sends the line away, and gives out no idle slot any more. Returns the slots
  // that were idle: the caller closes them and puts them empty.
  [[nodiscard]] std::vector<std::uint32_t> close();
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
  // After close(): whether every slot became empty before the deadline.
  [[nodiscard]] bool wait_until_empty(Clock::Steady deadline);
  // Sleeps for a back-off, less if the lane is closed meanwhile.
  void pause(Clock::Steady until);

  // Of the group: how many permits the lane has, counted under the group's mutex.
  [[nodiscard]] std::size_t permits() const noexcept { return permits_; }
  void add_permit() noexcept { ++permits_; }
  void drop_permit() noexcept { --permits_; }
  // Lets the head of the line open a connection; leaves the group's line where it may not.
  void accept_permit() noexcept;
  // The slot that has idled longest; nothing where none does. It may be taken any time.
  [[nodiscard]] std::optional<std::uint32_t> longest_idle() const noexcept;
  [[nodiscard]] const GroupCore* group() const noexcept { return group_; }

  [[nodiscard]] LaneStats stats() const;

 private:
  static constexpr std::size_t kBits = 63;
  static constexpr std::uint64_t kWaiting = std::uint64_t{1} << kBits;
  // As many threads as this use one pool without sharing a line; more do so by chance only.
  static constexpr std::size_t kWords = 8;

  struct Waiter {
    Parker parker;
    Waiter* next = nullptr;
    Waiter* previous = nullptr;
    Holder* holder = nullptr;
    Grant grant = Grant::timed_out;  // what it got; written once, under the mutex
    std::uint32_t slot = 0;
    bool granted = false;
  };
  struct alignas(64) Word {
    std::atomic<std::uint64_t> value{0};
  };

  [[nodiscard]] Put put_in_line(std::uint32_t slot) noexcept;
  [[nodiscard]] std::optional<Acquired> take_or_line_up(Waiter& waiter);
  [[nodiscard]] std::optional<Acquired> refuse_if_hopeless(Waiter& waiter);
  [[nodiscard]] Slot& slot_at(std::size_t word, std::uint64_t bit) noexcept;
  [[nodiscard]] std::optional<std::uint32_t> take_idle_locked() noexcept;
  // With true comes the group's permit.
  [[nodiscard]] bool may_connect_locked(GroupCore::Otherwise otherwise) noexcept {
    return !empty_.empty() && connecting_ < connecting_max_ &&
           (group_ == nullptr || group_->try_take(*this, otherwise));
  }
  [[nodiscard]] Acquired take_empty_locked() noexcept;
  [[nodiscard]] Waiter* grant_locked(Grant grant, std::uint32_t slot) noexcept;
  [[nodiscard]] Waiter* grant_empty_locked() noexcept;
  void append_locked(Waiter& waiter) noexcept;
  void unlink_locked(Waiter& waiter) noexcept;
  // Leaves the line unless a grant came first; says whether it left.
  [[nodiscard]] bool leave_line(Waiter& waiter) noexcept;
  void mark_waiting_locked() noexcept;
  void mark_free_locked() noexcept;

  const std::size_t size_;
  const std::size_t word_count_;
  const std::size_t connecting_max_;
  GroupCore* const group_;
  std::size_t permits_ = 0;  // guarded by the group's mutex
  const std::unique_ptr<Word[]> words_;
  const std::unique_ptr<Slot[]> slots_;

  mutable std::mutex mutex_;  // the members down to connecting_ are guarded by mutex_
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
  std::size_t waiting_ = 0;
  std::vector<std::uint32_t> empty_;
  std::size_t connecting_ = 0;

  std::condition_variable changed_;  // with mutex_: closed, or a slot became empty after it
  std::atomic<bool> closed_{false};
  std::atomic<std::uint64_t> waited_{0};
  std::atomic<std::uint64_t> timeouts_{0};
  std::atomic<std::uint64_t> deadlocks_{0};
  std::atomic<std::int64_t> wait_ns_{0};
};

}  // namespace carrel::db
