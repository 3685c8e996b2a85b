// The experiment `shared`: a thread-local whose initial value is one static object is not one value
// per thread.
//
// Five threads each take "their" object, which starts at 100, and the n-th adds n. Barriers put all
// additions before all readings, so the outcome is always the same:
//   shared  the initial value refers to one object: every thread reads 115
//   fresh   the initial value is an object of its own: 101, 102, 103, 104, 105
// The first form has to say borrowed<T*>. Without it, it does not compile.
#pragma once

#include "lab/experiment.h"

namespace carrel::lab {

enum class InitialValue { fresh, shared };

struct SharedOptions {
  int threads = 5;

  // Tests take the remedy out here, and the experiment must notice.
  InitialValue remedy = InitialValue::fresh;
};

[[nodiscard]] Report run_shared(const SharedOptions& options, const Context& context);

}  // namespace carrel::lab
