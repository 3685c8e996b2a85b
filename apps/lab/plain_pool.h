// PlainPool: the thread pool that everybody has written once: threads, a queue, and nothing between
// two tasks. What a task leaves on its thread, the next one finds.
//
// The lab runs its failures on it. Servers use carrel::WorkerPool.
//
// Threads: post() is safe from any thread, wait_until_idle() from any but the pool's own.
// Lifetime: the destructor runs what is queued and joins. Errors: a task must not throw.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace carrel::lab {

class PlainPool {
 public:
  explicit PlainPool(std::size_t threads);
  PlainPool(const PlainPool&) = delete;
  PlainPool& operator=(const PlainPool&) = delete;
  ~PlainPool();

  void post(std::function<void()> task);
  void wait_until_idle();

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable task_added_;
  std::condition_variable task_done_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  std::size_t running_ = 0;                  // guarded by mutex_
  bool closing_ = false;                     // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace carrel::lab
