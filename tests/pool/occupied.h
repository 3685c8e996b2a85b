// What the worker pool's tests say: keep a worker busy, and ask what an action threw.
#pragma once

#include <chrono>
#include <latch>
#include <string>
#include <utility>

#include "base/code_of.h"
#include "carrel/base/error.h"
#include "carrel/pool/worker_pool.h"

namespace carrel {

inline const Clock::Steady kForEver =
    Clock::Steady::max() - std::chrono::hours(24 * 365);  // room for the waiter's own sums
inline const Clock::Steady kAtOnce = Clock::Steady::min();

// Keeps one worker busy from its construction until let_go().
class Occupied {
 public:
  explicit Occupied(WorkerPool& pool)
      : end_(pool.submit({.name = "occupying"}, [this] {
          begun_.count_down();
          let_go_.wait();
        })) {
    begun_.wait();
  }
  Occupied(const Occupied&) = delete;
  Occupied& operator=(const Occupied&) = delete;
  void let_go() {
    if (!std::exchange(gone_, true)) let_go_.count_down();
  }
  ~Occupied() {
    let_go();
    std::move(end_).get();
  }

 private:
  std::latch begun_{1};
  std::latch let_go_{1};
  bool gone_ = false;
  Pending<void> end_;
};

}  // namespace carrel
