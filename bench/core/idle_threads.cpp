#include "bench/core/idle_threads.h"

namespace carrel::bench {

IdleThreads::IdleThreads(std::size_t count, const std::function<void(std::size_t)>& first)
    : ready_(static_cast<std::ptrdiff_t>(count)) {
  threads_.reserve(count);
  for (std::size_t thread = 0; thread < count; ++thread) {
    threads_.emplace_back([this, first, thread] {
      if (first) first(thread);
      ready_.count_down();
      leave_.wait();
    });
  }
  ready_.wait();
}

IdleThreads::~IdleThreads() {
  leave_.count_down();
  threads_.clear();
}

}  // namespace carrel::bench
