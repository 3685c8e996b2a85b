// Vouchers on a real PostgreSQL. Its peers outside this program, pgbench and JDBC with HikariCP,
// run on the same server: bench/db/voucher_pgbench.py, bench/jvm/VoucherBench.java.
#include "bench/db/postgres_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "bench/db/handwritten.h"
#include "bench/db/placement.h"
#include "bench/db/postgres_server.h"
#include "bench/db/voucher_session.h"

namespace carrel::bench {
namespace {

constexpr int kClients = 8;
// Longer than other benchmarks: the first vouchers of every connection prepare their statements.
constexpr double kSecondsMin = 0.3;

// What all threads of one benchmark share; made before the first begins, gone after the last.
struct Shared {
  explicit Shared(std::size_t connections) : session(*driver, connections) {}

  std::unique_ptr<Driver> driver = postgres_driver(postgres_options());
  VoucherSession session;
};
std::unique_ptr<Shared> shared;

void set_up(const benchmark::State&) {
  make_voucher_tables();
  shared = std::make_unique<Shared>(kClients);
}
void set_up_paired(const benchmark::State&) {
  make_voucher_tables();
  shared = std::make_unique<Shared>(1);
}
void tear_down(const benchmark::State&) {
  shared.reset();
}

Vouchers vouchers_of(const benchmark::State& state) {
  return Vouchers(static_cast<std::uint64_t>(state.thread_index()) + std::random_device()());
}

void statement_by_statement(benchmark::State& state) {
  auto vouchers = vouchers_of(state);
  for (auto _ : state) benchmark::DoNotOptimize(shared->session.post(vouchers.next()));
}

void as_one_batch(benchmark::State& state) {
  auto vouchers = vouchers_of(state);
  for (auto _ : state) shared->session.post_as_batch(vouchers.next());
}

double processor_seconds() {
  std::timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <class F>
double processor_seconds_of(F&& work) {
  const double begun = processor_seconds();
  work();
  return processor_seconds() - begun;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Processor time of this process a transaction, bound and by hand in turn, so that whatever the
// machine does meanwhile meets both, their server processes on one processor. Each of the two
// benchmarks reports one of them as its time.
enum class Which { bound, by_hand };

void paired(benchmark::State& state, Which which) {
  HandWritten by_hand;
  const Placement client(0, kClientProcessor);
  const Placement server_of_bound(shared->session.server_process(), server_processor());
  const Placement server_by_hand(by_hand.server_process(), server_processor());
  auto vouchers = vouchers_of(state);
  std::vector<double> bound_s;
  std::vector<double> by_hand_s;
  for (auto _ : state) {
    const auto first = vouchers.next();
    const auto second = vouchers.next();
    const auto run_bound = [&] {
      bound_s.push_back(
          processor_seconds_of([&] { benchmark::DoNotOptimize(shared->session.post(first)); }));
    };
    const auto run_by_hand = [&] {
      by_hand_s.push_back(
          processor_seconds_of([&] { benchmark::DoNotOptimize(by_hand.post(second)); }));
    };
    if (bound_s.size() % 2 == 0) {
      run_bound();
      run_by_hand();
    } else {
      run_by_hand();
      run_bound();
    }
    state.SetIterationTime(which == Which::bound ? bound_s.back() : by_hand_s.back());
  }
  // Of each pair, since on a busy machine both may take three times as long for a while.
  std::vector<double> ratios(bound_s.size());
  std::transform(bound_s.begin(), bound_s.end(), by_hand_s.begin(), ratios.begin(),
                 std::divides<>());
  if (which == Which::bound) state.counters["over_handwritten"] = median(std::move(ratios));
  const bool placed = client.placed() && server_of_bound.placed() && server_by_hand.placed();
  state.counters["placed"] = placed ? 1 : 0;
  state.counters["median_ns"] = median(which == Which::bound ? bound_s : by_hand_s) * 1e9;
}

}  // namespace

void register_postgres() {
  for (const auto& [name, run] : {std::pair{"Voucher_Statements", &statement_by_statement},
                                  std::pair{"Voucher_Batch", &as_one_batch}}) {
    benchmark::RegisterBenchmark(name, run)
        ->Setup(set_up)
        ->Teardown(tear_down)
        ->Threads(kClients)
        ->MinTime(kSecondsMin)
        ->UseRealTime();
  }
  for (const auto& [name, which] : {std::pair{"Transaction_Bound", Which::bound},
                                    std::pair{"Transaction_HandWritten", Which::by_hand}}) {
    benchmark::RegisterBenchmark(name,
                                 [which = which](benchmark::State& state) { paired(state, which); })
        ->Setup(set_up_paired)
        ->Teardown(tear_down)
        ->MinTime(kSecondsMin)
        ->UseManualTime();
  }
}

}  // namespace carrel::bench
