// Lingering: slots whose connection is closed while something of it still has a socket, such as a
// request to cancel that a standing server does not answer. They stay taken, so that the pool's
// total counts that socket too.
//
// Threads: safe from any.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "db/coarse_clock.h"
#include "db/slot.h"

namespace carrel::db {

class Lingering {
 public:
  // As long as a driver may take to undo and clean up, if it is not told otherwise. A socket may
  // hang for minutes in a network that swallows all; the pool is to recover before.
  static constexpr std::chrono::seconds kLongest{5};

  // For so many, before the first is kept: that takes no memory then.
  void make_room(std::size_t slots) { kept_.reserve(slots); }

  // Relaxed: one that was kept a moment ago is found by whoever looks next, under the mutex.
  [[nodiscard]] bool any() const noexcept { return count_.load(std::memory_order_relaxed) != 0; }

  // False: nothing remains, or nothing is to be kept any more. The slot is free then.
  [[nodiscard]] bool keep(Slot& slot, std::weak_ptr<const void> remains,
                          const Clock& clock) noexcept {
    if (remains.expired()) return false;
    const std::scoped_lock lock(mutex_);
    if (over_) return false;
    kept_.push_back({&slot, std::move(remains), coarse_now(clock) + kLongest});
    count_.store(kept_.size(), std::memory_order_relaxed);
    return true;
  }

  // One of which nothing remains any more, or which was kept for long enough; null: there is none.
  [[nodiscard]] Slot* take_free(const Clock& clock) noexcept {
    if (!any()) return nullptr;
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find_if(kept_, [&](const Kept& kept) {
      return over_ || kept.remains.expired() || coarse_now(clock) >= kept.until;
    });
    if (found == kept_.end()) return nullptr;
    Slot* const slot = found->slot;
    kept_.erase(found);
    count_.store(kept_.size(), std::memory_order_relaxed);
    return slot;
  }

  // All are free from now on.
  void end() noexcept {
    const std::scoped_lock lock(mutex_);
    over_ = true;
  }

 private:
  struct Kept {
    Slot* slot;
    std::weak_ptr<const void> remains;
    Clock::Steady until;
  };

  std::atomic<std::size_t> count_{0};  // of kept_: nearly always none, which takes no lock to see
  std::mutex mutex_;
  std::vector<Kept> kept_;  // guarded by mutex_
  bool over_ = false;       // guarded by mutex_
};

}  // namespace carrel::db
