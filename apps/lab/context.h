// The experiment `context`: who asks, and in which trace, on the far side of a hand-over.
//
// A request's entry knows its tenant and its trace id. Then its work goes on elsewhere:
//   pool        in a task of another pool of threads
//   nested      in a task that it submits to its own pool
//   coroutine   after a co_await, on whichever thread resumes it
// There the tenant and the trace id are asked for, and are right, lost (there is none) or stale
// (somebody else's). First with a thread_local, then with request-locals that a Snapshot or a
// scope_executor takes along.
#pragma once

#include <cstddef>

#include "lab/experiment.h"

namespace carrel::lab {

enum class TakingAlong { snapshot_and_scope_executor, nothing };

struct ContextOptions {
  std::size_t threads = 4;        // of each pool
  std::size_t requests = 20'000;  // for each hand-over, with and without propagation

  // Tests take the remedy out here, and the experiment must notice.
  TakingAlong remedy = TakingAlong::snapshot_and_scope_executor;
};

[[nodiscard]] Report run_context(const ContextOptions& options, const Context& context);

}  // namespace carrel::lab
