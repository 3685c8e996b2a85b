// The words that the tests of the pool speak in.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "base/code_of.h"
#include "carrel/db/pool.h"
#include "db/stub_driver.h"

namespace carrel::test {

inline Clock::Steady soon(std::chrono::milliseconds time) {
  return Clock::Steady::clock::now() + time;
}

inline int number_of(const Pool::Lease& lease) {
  return dynamic_cast<StubConnection&>(*lease).number();
}

inline void break_connection(const Pool::Lease& lease) {
  dynamic_cast<StubConnection&>(*lease).break_now();
}

inline void wait_until_waiting(const Pool& pool, std::size_t count) {
  while (pool.stats().waiting != count) std::this_thread::yield();
}

// A place in the driver where threads stand until they are let on.
class Halt {
 public:
  void pass() {
    const int now = ++inside_;
    int seen = most_.load();
    while (seen < now && !most_.compare_exchange_weak(seen, now)) {
    }
    is_open_.wait(false);
    --inside_;
  }
  void wait_until_inside(int count) const {
    while (inside_ != count) std::this_thread::yield();
  }
  void open() {
    is_open_ = true;
    is_open_.notify_all();
  }
  [[nodiscard]] int inside() const { return inside_; }
  [[nodiscard]] int most() const { return most_; }  // that stood there at a time

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> most_{0};
  std::atomic<bool> is_open_{false};
};

inline PoolOptions options(std::size_t size) {
  return {.name = "test",
          .size_max = size,
          .acquire_max = std::chrono::seconds(60),
          .maintain_every = std::chrono::milliseconds(0)};
}

}  // namespace carrel::test
