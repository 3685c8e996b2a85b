// IdleThreads: threads that do one thing when they start, then wait until the object dies.
//
// They stand for the other workers of a server: they hold values, and their being there makes glibc
// use real atomic instructions, which it skips in a process with a single thread.
//
//   IdleThreads others(64, [&](std::size_t thread) { hold(thread); });
//
// The constructor returns when each has done its part. `first` must outlive nothing: it is copied.
#pragma once

#include <cstddef>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

namespace carrel::bench {

class IdleThreads {
 public:
  explicit IdleThreads(std::size_t count, const std::function<void(std::size_t)>& first = {});
  ~IdleThreads();

  IdleThreads(const IdleThreads&) = delete;
  IdleThreads& operator=(const IdleThreads&) = delete;

 private:
  std::latch ready_;
  std::latch leave_{1};
  std::vector<std::jthread> threads_;
};

}  // namespace carrel::bench
