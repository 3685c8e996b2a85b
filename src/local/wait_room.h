// The wait room: where a thread waits for a destructor that another thread is running.
//
// Two exiting threads whose values own each other's variables would wait for each other for ever.
// So a thread says what it waits for, and one whose wait would close a circle does not begin it.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string_view>

#include "carrel/local/internal/thread_block.h"
#include "local/slot.h"

namespace carrel::local {

class WaitRoom {
 public:
  // Called with the slot's lock held, and returns with it: waits until the slot has changed. False,
  // at once, if that could never happen because everybody concerned waits for this thread.
  [[nodiscard]] bool wait_for_change(ThreadBlock& self, Slot& slot, std::string_view what) noexcept;
  // Called with no lock held after a change of a slot that has waiters.
  void wake_all() noexcept;

  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }
  // In a forked child, by the thread that holds the lock: nobody waits any more.
  void reset() noexcept;

 private:
  struct Step;
  [[nodiscard]] static bool leads_back(const ThreadBlock& self, Slot& slot,
                                       const Step* path) noexcept;

  std::mutex mutex_;  // every thread's ThreadBlock::waiting_for is guarded by mutex_
  std::condition_variable changed_;
};
WaitRoom& wait_room() noexcept;

}  // namespace carrel::local
