// BargingPool: the usual pool, for comparison. A locked list; whoever wakes first takes.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace carrel::bench {

class BargingPool {
 public:
  explicit BargingPool(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) idle_.push_back(static_cast<int>(i));
  }
  int borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty(); });
    const int connection = idle_.back();
    idle_.pop_back();
    return connection;
  }
  void give_back(int connection) {
    {
      const std::scoped_lock lock(mutex_);
      idle_.push_back(connection);
    }
    returned_.notify_one();
  }

 private:
  std::mutex mutex_;  // idle_ is guarded by mutex_
  std::condition_variable returned_;
  std::vector<int> idle_;
};

}  // namespace carrel::bench
