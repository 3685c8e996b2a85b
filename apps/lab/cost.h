// The experiment `cost`: what it costs to count in a shared place, and in one's own, as threads
// grow from 1 to 64.
//
//   lock            one counter behind a mutex
//   atomic          one atomic counter
//   concurrent map  a counter for each thread, in a striped map from thread to counter
//   thread_local    a counter for each thread, the language's way
//   carrel          a counter for each thread, ThreadLocal::get()
//
// Only ratios of one run are claimed, and only large ones.
#pragma once

#include <cstddef>

#include "lab/contest.h"
#include "lab/experiment.h"

namespace carrel::lab {

enum class CountingIn { lock, carrel };

struct CostOptions {
  std::size_t threads_max = 64;
  Contest contest = {};

  // Tests take the remedy out here, and the experiment must notice.
  CountingIn remedy = CountingIn::carrel;
};

[[nodiscard]] Report run_cost(const CostOptions& options, const Context& context);

}  // namespace carrel::lab
