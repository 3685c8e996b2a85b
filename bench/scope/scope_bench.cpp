// What a request pays for its scope, a task for its boundary, and a hand-over for its snapshot.
//
// Scope_OpenBind3Close is a task as a boundary runs it: the scope is opened, three request-locals
// are bound, all is closed, and the thread's map is looked at. AuditOff is the same without the
// look. AsioPool_Task and Boundary_Task hand the same empty task to the same one-thread pool.
#include <benchmark/benchmark.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <latch>

#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

namespace carrel {
namespace {

struct ThreeVariables {
  RequestLocal<std::uint64_t> caller{"caller"};
  RequestLocal<std::uint64_t> tenant{"tenant"};
  RequestLocal<std::uint32_t> book{"book"};
};

void bind_three(const ThreeVariables& variables) {
  const auto caller = variables.caller.bind(1);
  const auto tenant = variables.tenant.bind(2);
  const auto book = variables.book.bind(3);
  benchmark::ClobberMemory();
}

void open_bind_close(benchmark::State& state, AuditPolicy policy) {
  const ThreeVariables variables;
  Boundary boundary({.audit = policy});
  const ScopeOptions options{.name = "POST /v1/vouchers"};
  for (auto _ : state) boundary.run(options, [&] { bind_three(variables); });
}

void Scope_OpenBind3Close(benchmark::State& state) {
  open_bind_close(state, AuditPolicy::clear);
}
void Scope_OpenBind3Close_AuditOff(benchmark::State& state) {
  open_bind_close(state, AuditPolicy::off);
}

// The scope alone, without a boundary around it.
void Scope_OpenClose(benchmark::State& state) {
  const ScopeOptions options{.name = "POST /v1/vouchers"};
  for (auto _ : state) {
    Scope scope(options);
    benchmark::ClobberMemory();
  }
}

// What of the figures above is reading the clock: once to open, once more at a boundary.
void SteadyClock_Now(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(SystemClock::get().steady_now());
}

void Snapshot_Capture(benchmark::State& state) {
  const ThreeVariables variables;
  Scope scope({.name = "POST /v1/vouchers", .trace = TraceContext::generate()});
  variables.caller.set(1);
  variables.tenant.set(2);
  variables.book.set(3);
  for (auto _ : state) benchmark::DoNotOptimize(Snapshot::capture());
}

void Snapshot_Run(benchmark::State& state) {
  const ThreeVariables variables;
  Scope scope({.name = "POST /v1/vouchers"});
  variables.caller.set(1);
  variables.tenant.set(2);
  variables.book.set(3);
  const Snapshot snapshot = Snapshot::capture();
  for (auto _ : state) snapshot.run([] { benchmark::ClobberMemory(); });
}

// What a task costs the pool's thread: a batch is queued while the thread is held up, and then
// timed from the first task to the last. (Posting at the same time would measure how two threads
// fight for the queue's lock.)
constexpr int kBatch = 1000;

template <class Task>
void run_tasks(benchmark::State& state, const Task& task) {
  boost::asio::thread_pool pool(1);
  while (state.KeepRunningBatch(kBatch)) {
    std::latch queued(1);
    std::latch done(1);
    std::chrono::steady_clock::time_point began;
    std::chrono::duration<double> took{};
    boost::asio::post(pool, [&] {
      queued.wait();
      began = std::chrono::steady_clock::now();
    });
    for (int i = 0; i < kBatch; ++i) boost::asio::post(pool, task);
    boost::asio::post(pool, [&] {
      took = std::chrono::steady_clock::now() - began;
      done.count_down();
    });
    queued.count_down();
    done.wait();
    state.SetIterationTime(took.count());
  }
  pool.join();
}

void AsioPool_Task(benchmark::State& state) {
  run_tasks(state, [] { benchmark::ClobberMemory(); });
}

void Boundary_Task(benchmark::State& state) {
  Boundary boundary;
  const ScopeOptions options{.name = "task"};
  run_tasks(state,
            [&boundary, &options] { boundary.run(options, [] { benchmark::ClobberMemory(); }); });
}

BENCHMARK(Scope_OpenBind3Close);
BENCHMARK(Scope_OpenBind3Close_AuditOff);
BENCHMARK(Scope_OpenClose);
BENCHMARK(SteadyClock_Now);
BENCHMARK(Snapshot_Capture);
BENCHMARK(Snapshot_Run);
BENCHMARK(AsioPool_Task)->UseManualTime();
BENCHMARK(Boundary_Task)->UseManualTime();

}  // namespace
}  // namespace carrel

BENCHMARK_MAIN();
