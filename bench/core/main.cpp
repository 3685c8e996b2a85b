// core_bench: ThreadLocal beside native thread_local and every other way to keep a value a thread.
//
//   core_bench --benchmark_filter='_Get/'
//
// bench/compare runs it as it should be run: interleaved, repeated, and the cases of lifecycle.h in
// a process each. What makes the figures real is said in forms.h.
#include <benchmark/benchmark.h>
#include <gnu/libc-version.h>

#include <string>

#include "bench/core/idle_threads.h"
#include "bench/core/paired.h"
#include "bench/core/peers.h"

namespace {

std::string compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "gcc " __VERSION__;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  using namespace carrel::bench;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("compiler", compiler());
  benchmark::AddCustomContext("glibc", gnu_get_libc_version());

  register_native();
  register_thread_local();
  register_shared_library();
  register_pthread_key();
  register_mutex_map();
#ifdef CARREL_BENCH_SCOPE
  register_request_local();
#endif
#ifdef CARREL_BENCH_BOOST
  register_boost();
#endif
#ifdef CARREL_BENCH_TBB
  register_tbb();
#endif
#ifdef CARREL_BENCH_FOLLY
  register_folly();
#endif
  register_ratios();

  const IdleThreads second_thread(1);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
