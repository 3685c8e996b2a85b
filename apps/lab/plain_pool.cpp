#include "lab/plain_pool.h"

#include <utility>

namespace carrel::lab {

PlainPool::PlainPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

PlainPool::~PlainPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  task_added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void PlainPool::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  task_added_.notify_one();
}

void PlainPool::wait_until_idle() {
  std::unique_lock lock(mutex_);
  task_done_.wait(lock, [this] { return tasks_.empty() && running_ == 0; });
}

void PlainPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    task_added_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    {
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      ++running_;
      lock.unlock();
      task();
    }  // the task itself is gone before anybody is told that it is done
    lock.lock();
    --running_;
    if (tasks_.empty() && running_ == 0) task_done_.notify_all();
  }
}

}  // namespace carrel::lab
