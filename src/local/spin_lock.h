// SpinLock: a lock of four bytes for sections of a few dozen instructions without system calls.
//
// A std::mutex is ten times the size of what it would guard here. Nothing is allocated and no
// foreign code is called under such a lock, so the holder is never away for long, unless it has
// been preempted: a waiter yields at once rather than spin against that.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace carrel::local {

class SpinLock {
 public:
  constexpr SpinLock() noexcept = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() noexcept {
    // Acquire: sees all that the last holder wrote. The exchange is tried first, since nearly
    // always nobody else is there.
    if (locked_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      wait_and_lock();
  }
  // Release: the next holder sees all that this one wrote.
  void unlock() noexcept { locked_.store(0, std::memory_order_release); }
  // In a forked child, where the holder may be a thread that does not exist.
  void reset() noexcept { locked_.store(0, std::memory_order_relaxed); }

 private:
  // Out of line: a thread's end takes a dozen locks with nothing of it in the processor's caches.
  [[gnu::noinline]] [[gnu::cold]] void wait_and_lock() noexcept {
    do {
      // Relaxed: only a hint that another exchange is worth it.
      while (locked_.load(std::memory_order_relaxed) != 0) std::this_thread::yield();
    } while (locked_.exchange(1, std::memory_order_acquire) != 0);  // acquire: as lock()
  }

  std::atomic<std::uint32_t> locked_{0};
};

}  // namespace carrel::local
