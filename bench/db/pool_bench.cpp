// Borrowing and returning, alone and in company. Eight connections, as in the table of db.md's
// peers: HikariCP 2.7.9 needs 105 ns alone.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "bench/db/null_driver.h"
#include "carrel/db/pool.h"

namespace carrel::bench {
namespace {

constexpr std::size_t kConnections = 8;

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

// The usual design, for comparison: a locked list, and whoever wakes first takes it.
class BargingPool {
 public:
  explicit BargingPool(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) idle_.push_back(static_cast<int>(i));
  }
  int borrow() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [this] { return !idle_.empty(); });
    const int connection = idle_.back();
    idle_.pop_back();
    return connection;
  }
  void give_back(int connection) {
    {
      const std::scoped_lock lock(mutex_);
      idle_.push_back(connection);
    }
    returned_.notify_one();
  }

 private:
  std::mutex mutex_;  // idle_ is guarded by mutex_
  std::condition_variable returned_;
  std::vector<int> idle_;
};

BargingPool& barging_pool() {
  static BargingPool pool(kConnections);
  return pool;
}

// As if a statement ran: the connection is held while this thread waits for a server.
void hold(benchmark::State& state) {
  const std::chrono::microseconds time(state.range(0));
  if (time.count() > 0) {
    const std::timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(time).count()};
    ::nanosleep(&pause, nullptr);
  }
}

template <Pool& (*pool_of)()>
void borrow_and_return(benchmark::State& state) {
  auto& pool = pool_of();
  for (auto _ : state) {
    const auto lease = pool.borrow();
    benchmark::DoNotOptimize(&*lease);
  }
}

// Reports the wait's 99th percentile beside the throughput.
template <class Borrow, class GiveBack>
void held(benchmark::State& state, Borrow&& borrow, GiveBack&& give_back) {
  std::vector<std::int64_t> waits;
  waits.reserve(1 << 20);
  for (auto _ : state) {
    const auto begun = Clock::Steady::clock::now();
    auto connection = borrow();
    const auto waited = Clock::Steady::clock::now() - begun;
    if (waits.size() < waits.capacity())
      waits.push_back(std::chrono::duration_cast<std::chrono::nanoseconds>(waited).count());
    hold(state);
    give_back(connection);
  }
  if (waits.empty()) return;
  const auto at = waits.begin() + static_cast<std::ptrdiff_t>(waits.size() * 99 / 100);
  std::nth_element(waits.begin(), at, waits.end());
  state.counters["wait_p99_us"] =
      benchmark::Counter(static_cast<double>(*at) / 1'000.0, benchmark::Counter::kAvgThreads);
  state.SetItemsProcessed(state.iterations());
}

void fair_held(benchmark::State& state) {
  auto& pool = remote_pool();
  held(state, [&] { return pool.borrow(); }, [](Pool::Lease& lease) { lease.release(); });
}

void barging_held(benchmark::State& state) {
  auto& pool = barging_pool();
  held(state, [&] { return pool.borrow(); }, [&](int connection) { pool.give_back(connection); });
}

BENCHMARK(borrow_and_return<embedded_pool>)
    ->Name("Pool_BorrowReturn")
    ->Threads(1)
    ->Threads(2)
    ->Threads(8)
    ->Threads(32)
    ->UseRealTime();
BENCHMARK(borrow_and_return<remote_pool>)->Name("Pool_BorrowReturn_Remote")->Threads(1);
BENCHMARK(borrow_and_return<watched_pool>)->Name("Pool_BorrowReturn_LeakReports")->Threads(1);
BENCHMARK(fair_held)->Name("Pool_Held_us")->Arg(0)->Arg(50)->Arg(200)->Threads(32)->UseRealTime();
BENCHMARK(barging_held)
    ->Name("Barging_Held_us")
    ->Arg(0)
    ->Arg(50)
    ->Arg(200)
    ->Threads(32)
    ->UseRealTime();

}  // namespace
}  // namespace carrel::bench
