// The experiment `leak`: what tasks leave in thread-locals outlives them, and how a boundary ends
// it.
//
// A pool of five threads runs rounds of tasks: one in the first round, from half-time on one on
// each thread, so that memory can be seen to climb:
//   scenario 1  tasks do nothing
//   scenario 2  each allocates 5 MiB and drops it
//   scenario 3  each puts 5 MiB into a thread-local and does not remove it
// Each scenario runs twice on the same kind of pool: bare, and with a carrel::Boundary around every
// task, which gives it a scope and audits the thread after it. Scenario 3 runs with each kind of
// variable that fits.
//
// Memory is measured after every round, while all threads stand still at a barrier.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "carrel/scope/boundary.h"
#include "lab/experiment.h"

namespace carrel::lab {

struct LeakOptions {
  std::size_t threads = 5;
  int rounds = 40;  // at least 2
  std::size_t block_bytes = 5 << 20;
  std::chrono::milliseconds pace{10};  // from round to round, so that the charts have a time axis

  // Tests take the remedy out here, and the experiment must notice.
  AuditPolicy audit = AuditPolicy::clear;
};

[[nodiscard]] Report run_leak(const LeakOptions& options, const Context& context);

}  // namespace carrel::lab
