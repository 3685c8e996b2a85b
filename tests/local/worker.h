// Worker: a thread that does what it is told, one thing at a time, and idles in between.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace carrel::local {

class Worker {
 public:
  Worker() : thread_([this] { run(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { end(); }

  // Returns when the thread has done it, or with begin() when it has begun to wait for its turn.
  void call(std::function<void()> job) {
    begin(std::move(job));
    finish();
  }
  void begin(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    job_ = std::move(job);
    changed_.notify_all();
  }
  void finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !job_; });
  }
  // Lets the thread end, and waits for it.
  void end() {
    let_end();
    if (thread_.joinable()) thread_.join();
  }
  // Lets the thread end, and does not wait.
  void let_end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return job_ || ended_; });
      if (!job_) return;
      lock.unlock();
      job_();
      lock.lock();
      job_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
  bool ended_ = false;
  std::thread thread_;  // last: begins when all else is there
};

// Something that happens once, and that others wait for.
class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    happened_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return happened_; });
  }
  bool has_happened() {
    const std::lock_guard lock(mutex_);
    return happened_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool happened_ = false;
};

}  // namespace carrel::local
