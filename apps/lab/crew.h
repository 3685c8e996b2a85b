// Crew: threads that live on and work in step.
//
//   Crew crew(4);
//   crew.each([&](std::size_t n) { maps[n].clear(); });   // on all four at once
//   ...                                                   // they wait, and keep what is theirs
//   crew.each([&](std::size_t n) { ... });                // thread n is the same as before
//
// Threads: each() is called by one thread, none of the crew's. Lifetime: the destructor joins.
// Errors: a task must not throw.
#pragma once

#include <barrier>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace carrel::lab {

class Crew {
 public:
  explicit Crew(std::size_t threads);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew();

  // Calls task(n) on the n-th thread of all; all begin together. Returns when all have ended.
  void each(const std::function<void(std::size_t)>& task);

 private:
  std::barrier<> begin_;
  std::barrier<> end_;
  const std::function<void(std::size_t)>* task_ = nullptr;  // null: end. Ordered by the barriers
  std::vector<std::thread> threads_;
};

}  // namespace carrel::lab
