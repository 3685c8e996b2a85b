// db_bench: the pool, the session and the drivers, beside what they are measured against.
//
//   db_bench --benchmark_filter=Pool_
//   tools/test-servers run --only postgres -- build/release/bench/db_bench
//
// bench/compare runs it with a server and with the peers that are programs of their own.
#include <benchmark/benchmark.h>

#ifdef CARREL_BENCH_POSTGRES
#include "bench/db/postgres_bench.h"
#include "bench/db/postgres_server.h"
#endif

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
#ifdef CARREL_BENCH_POSTGRES
  if (carrel::bench::has_postgres()) {
    benchmark::AddCustomContext("postgres", carrel::bench::postgres_version());
    carrel::bench::register_postgres();
    carrel::bench::register_many_rows();
    carrel::bench::register_tenants();
    carrel::bench::register_together();
  }
#endif
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
