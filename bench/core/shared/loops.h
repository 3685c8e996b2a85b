// The access loops that live in the shared library core_bench_shared. The variable, its filling and
// the loops are all the library's: the program only calls.
#pragma once

#include "bench/core/forms.h"

namespace carrel::bench::shared {

// A native `extern thread_local` of the library.
[[nodiscard]] Forms native_forms();

// A ThreadLocal used from the library's code.
class ThreadLocalCase {
 public:
  ThreadLocalCase();
  ~ThreadLocalCase();
  ThreadLocalCase(const ThreadLocalCase&) = delete;
  ThreadLocalCase& operator=(const ThreadLocalCase&) = delete;

  [[nodiscard]] Word handle() const;
  [[nodiscard]] static Forms forms();

 private:
  void* variable_;
};

}  // namespace carrel::bench::shared
