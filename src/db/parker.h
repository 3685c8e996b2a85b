// Parker: one thread sleeps, another wakes it. Linux futex(2), because the standard library's
// timed waits spin first, and two cores have nothing to spin for.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

#include "carrel/db/connection.h"

namespace carrel::db {

class Parker {
 public:
  // Returns whether unpark() came before the deadline. What happened before unpark() is visible.
  bool park_until(Clock::Steady deadline) noexcept {
    while (state_.load(std::memory_order_acquire) == kEmpty) {
      if (deadline == kNoDeadline) {
        wait(nullptr);
        continue;
      }
      if (Clock::Steady::clock::now() >= deadline) return false;
      const auto since_boot = deadline.time_since_epoch();
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
      const std::timespec until{
          .tv_sec = seconds.count(),
          .tv_nsec =
              std::chrono::duration_cast<std::chrono::nanoseconds>(since_boot - seconds).count()};
      wait(&until);
    }
    return true;
  }

  // The parked thread may return, and this object die, as soon as the state is stored: the wake
  // that follows passes the kernel an address and reads nothing there. A stranger that sleeps at
  // the same address by then wakes up once for nothing, which every futex user must expect.
  void unpark() noexcept {
    auto* address = &state_;
    state_.store(kWoken, std::memory_order_release);
    ::syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }

 private:
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kWoken = 1;

  // FUTEX_WAIT_BITSET takes an absolute time of the monotonic clock, which steady_clock is here.
  void wait(const std::timespec* until) noexcept {
    ::syscall(SYS_futex, &state_, FUTEX_WAIT_BITSET_PRIVATE, kEmpty, until, nullptr,
              FUTEX_BITSET_MATCH_ANY);
  }

  std::atomic<std::uint32_t> state_{kEmpty};
};
static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

}  // namespace carrel::db
