// Borrowing and returning, alone and in company, on eight connections. HikariCP's twin is
// bench/jvm/HikariBench.java.
#include <benchmark/benchmark.h>
#include <semaphore.h>

#include "bench/db/barging_pool.h"
#include "bench/db/crowd.h"
#include "bench/db/null_driver.h"
#include "carrel/db/pool.h"

namespace carrel::bench {
namespace {

constexpr std::size_t kConnections = kCrowdConnections;

PoolOptions options(std::chrono::milliseconds leak_after) {
  return {.name = "bench",
          .size_max = kConnections,
          .acquire_max = std::chrono::seconds(60),
          .size_min = kConnections,
          .leak_after = leak_after,
          .maintain_every = std::chrono::milliseconds(0)};
}

// One pool of each kind for all threads of a benchmark, made before any of them begins.
Pool& embedded_pool() {
  static NullDriver driver(/*remote=*/false);
  static Pool pool(options({}), driver);
  return pool;
}
Pool& remote_pool() {
  static NullDriver driver(/*remote=*/true);
  static Pool pool(options({}), driver);
  return pool;
}
Pool& watched_pool() {
  static NullDriver driver(/*remote=*/true);
  static Pool pool(options(std::chrono::seconds(60)), driver);
  return pool;
}
BargingPool& barging_pool() {
  static BargingPool pool(kConnections);
  return pool;
}

template <Pool& (*pool_of)()>
void borrow_and_return(benchmark::State& state) {
  auto& pool = pool_of();
  for (auto _ : state) {
    const auto lease = pool.borrow();
    benchmark::DoNotOptimize(&*lease);
  }
}

void barging_borrow_and_return(benchmark::State& state) {
  auto& pool = barging_pool();
  for (auto _ : state) {
    const int connection = pool.borrow();
    benchmark::DoNotOptimize(connection);
    pool.give_back(connection);
  }
}

void crowd_in_order(benchmark::State& state) {
  auto& pool = remote_pool();
  crowd(state, [&] { return pool.borrow(); }, [](Pool::Lease& lease) { lease.release(); });
}

void crowd_barging(benchmark::State& state) {
  auto& pool = barging_pool();
  crowd(state, [&] { return pool.borrow(); }, [&](int connection) { pool.give_back(connection); });
}

// Thirty-two threads on eight connections, holding nothing and reading no clock.
template <class Once>
void crowd_without_clocks(benchmark::State& state, const Once& once) {
  for (auto _ : state) {
    const auto begun = std::chrono::steady_clock::now();
    std::size_t borrows = 0;
    for (const auto& mine : run_crowd(once)) borrows += mine.size();
    const std::chrono::duration<double> lasted = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(lasted.count() / static_cast<double>(borrows));
  }
}

void crowded(benchmark::State& state) {
  auto& pool = embedded_pool();
  crowd_without_clocks(state, [&] {
    const auto lease = pool.borrow();
    benchmark::DoNotOptimize(&*lease);
    return Borrow{};
  });
}

void barging_crowded(benchmark::State& state) {
  auto& pool = barging_pool();
  crowd_without_clocks(state, [&] {
    const int connection = pool.borrow();
    benchmark::DoNotOptimize(connection);
    pool.give_back(connection);
    return Borrow{};
  });
}

// What a hand-over costs at the least on this machine: one thread sleeps, another wakes it. The
// time of one way. Nothing of ours is in it.
void wake_a_thread(benchmark::State& state) {
  sem_t ping;
  sem_t pong;
  ::sem_init(&ping, 0, 0);
  ::sem_init(&pong, 0, 0);
  std::atomic<bool> over{false};
  std::thread other([&] {
    while (::sem_wait(&ping) == 0 && !over) ::sem_post(&pong);
  });
  for (auto _ : state) {
    const auto begun = std::chrono::steady_clock::now();
    ::sem_post(&ping);
    ::sem_wait(&pong);
    const std::chrono::duration<double> there_and_back = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(there_and_back.count() / 2);
  }
  over = true;
  ::sem_post(&ping);
  other.join();
}

void in_company(benchmark::internal::Benchmark* of) {
  of->Threads(1)->Threads(2)->Threads(8)->UseRealTime();
}
void in_a_crowd(benchmark::internal::Benchmark* of) {
  of->Arg(0)->Arg(50)->Arg(200)->Iterations(1)->UseManualTime();
}

BENCHMARK(borrow_and_return<embedded_pool>)->Name("Pool_BorrowReturn")->Apply(in_company);
BENCHMARK(borrow_and_return<remote_pool>)->Name("Pool_BorrowReturn_Remote")->Apply(in_company);
BENCHMARK(borrow_and_return<watched_pool>)
    ->Name("Pool_BorrowReturn_LeakReports")
    ->Threads(1)
    ->UseRealTime();
BENCHMARK(barging_borrow_and_return)->Name("Barging_BorrowReturn")->Apply(in_company);
BENCHMARK(crowded)->Name("Pool_BorrowReturn/threads:32")->Iterations(1)->UseManualTime();
BENCHMARK(barging_crowded)->Name("Barging_BorrowReturn/threads:32")->Iterations(1)->UseManualTime();
BENCHMARK(wake_a_thread)->Name("Thread_Wake")->UseManualTime();
BENCHMARK(crowd_in_order)->Name("Pool_Crowd")->Apply(in_a_crowd);
BENCHMARK(crowd_barging)->Name("Barging_Crowd")->Apply(in_a_crowd);

}  // namespace
}  // namespace carrel::bench
