// The experiment `keys`: variables die while the threads that hold their values live on. What is
// still held then depends on how a thread's map refers to the variable.
//
//   strong keys           the map keeps variable and value alive
//   weak keys, untouched  the variable goes, its stale entry stays with the value (the JDK's
//   design) weak keys, touched    stale entries go when the thread's later work comes across them
//   carrel                the dying variable destroys its values, on all threads, before it is gone
//
// In steps: the threads give each variable a value; variables die, some a step; the threads work on
// with other variables (all but the untouched ones). After every step the held bytes are counted.
#pragma once

#include <cstddef>

#include "carrel/local/options.h"
#include "lab/experiment.h"

namespace carrel::lab {

struct KeysOptions {
  std::size_t threads = 4;
  std::size_t variables = 64;  // a multiple of kKeysStretch
  std::size_t value_bytes = 16 << 10;

  // Tests take the remedy out here, and the experiment must notice: with Reclaim::owner each thread
  // destroys its own values when it next comes by.
  Reclaim remedy = Reclaim::eager;
};

// Steps in which variables die, and as many in which the threads work on.
inline constexpr std::size_t kKeysStretch = 8;

[[nodiscard]] Report run_keys(const KeysOptions& options, const Context& context);

}  // namespace carrel::lab
