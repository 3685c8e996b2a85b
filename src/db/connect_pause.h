// ConnectPause: how long nobody connects after a server could not be reached.
//
// It grows from failure to failure, and the first connection ends it. Time is handed in: the pause
// is arithmetic, and whoever obeys it does the waiting.
//
// Threads: left() is safe from any; failed() and connected() are called by one at a time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "carrel/base/clock.h"

namespace carrel::db {

class ConnectPause {
 public:
  static constexpr std::chrono::milliseconds kShortest{50};
  static constexpr std::chrono::milliseconds kLongest{1'600};

  enum class Failure : std::uint8_t {
    server,  // it could not be reached
    hasty    // the caller's own deadline came first, which says little of the server
  };

  [[nodiscard]] std::chrono::nanoseconds left(Clock::Steady now) const noexcept {
    // Relaxed: who has failed has its own pause before it, and a permit to connect passes from
    // holder to holder through the lane's mutex.
    const Clock::Steady until{Clock::Steady::duration(until_.load(std::memory_order_relaxed))};
    const std::chrono::nanoseconds left = until - now;
    const bool clock_went_back = left > kLongest;  // no pause is as long
    return clock_went_back ? kNone : std::max(left, kNone);
  }

  void failed(Failure failure, Clock::Steady now) noexcept {
    std::chrono::nanoseconds pause = kShortest;
    if (failure == Failure::server) {
      pause = next_;
      next_ = std::min(2 * next_, kLongest);
    }
    if (pause > left(now))
      until_.store((now + pause).time_since_epoch().count(), std::memory_order_relaxed);
  }

  void connected() noexcept {
    next_ = kShortest;
    until_.store(kLongAgo, std::memory_order_relaxed);
  }

 private:
  static constexpr std::chrono::nanoseconds kNone{0};
  static constexpr Clock::Steady::rep kLongAgo = 0;  // the clock's epoch

  std::chrono::milliseconds next_ = kShortest;
  std::atomic<Clock::Steady::rep> until_{kLongAgo};
};

}  // namespace carrel::db
