// The experiment `design`: where a variable's values are kept. By variable, keyed by thread, or by
// thread, keyed by variable; as threads grow from 1 to 64.
//
//   locked map for each variable      the early design: one lock for all who use the variable
//   concurrent map for each variable  its repair: stripes
//   map for each thread               carrel: no lock, and what a thread holds ends with the thread
//
// For each number of threads: the time of an access, the entries of one map, and the bytes that are
// left when the threads have ended and the variables live on.
#pragma once

#include <cstddef>

#include "lab/contest.h"
#include "lab/experiment.h"

namespace carrel::lab {

enum class MapFor { each_variable, each_thread };

struct DesignOptions {
  std::size_t threads_max = 64;
  std::size_t variables = 16;
  std::size_t value_bytes = 1024;
  Contest contest = {};

  // Tests take the remedy out here, and the experiment must notice.
  MapFor remedy = MapFor::each_thread;
};

[[nodiscard]] Report run_design(const DesignOptions& options, const Context& context);

}  // namespace carrel::lab
