// Compiled with optimisation in every configuration (see CMakeLists.txt): what an access costs in
// unoptimised code is of no interest to anybody.
#include "lab/cost.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "lab/jvm_twin.h"
#include "lab/thread_keyed_map.h"

namespace carrel::lab {
namespace {

// What a lock and a map cost at least, as multiples of Carrel's get. Low enough to hold where other
// programs keep the threads from ever meeting at the lock.
constexpr double kLockToOwnMin = 3;
constexpr double kMapToOwnMin = 5;
constexpr double kGrowthMax = 4;  // of Carrel's get, from one thread to all

// Keeps the compiler from adding up in a register what shall be counted in memory.
void count_one(std::uint64_t& counter) {
  ++counter;
  asm volatile("" : : : "memory");
}

constinit thread_local std::uint64_t native_counter = 0;

// Where is counted. The loops are functions of their own, so that no contestant's code is
// rearranged around another's.
class Places {
 public:
  [[gnu::noinline]] void with_lock(std::size_t accesses) {
    while (accesses-- > 0) {
      const std::lock_guard lock(mutex_);
      count_one(locked_);
    }
  }
  [[gnu::noinline]] void with_atomic(std::size_t accesses) {
    // Relaxed: a counter orders nothing.
    while (accesses-- > 0) atomic_.fetch_add(1, std::memory_order_relaxed);
  }
  [[gnu::noinline]] void with_map(std::size_t accesses) {
    while (accesses-- > 0) count_one(map_.mine());
  }
  [[gnu::noinline]] static void with_native(std::size_t accesses) {
    while (accesses-- > 0) count_one(native_counter);
  }
  [[gnu::noinline]] void with_carrel(std::size_t accesses) {
    while (accesses-- > 0) count_one(variable_.get());
  }

 private:
  static constexpr std::size_t kCacheLine = 64;

  alignas(kCacheLine) std::mutex mutex_;
  std::uint64_t locked_ = 0;  // guarded by mutex_
  alignas(kCacheLine) std::atomic<std::uint64_t> atomic_{0};
  alignas(kCacheLine) StripedMap<std::uint64_t> map_{[] { return std::uint64_t{0}; }};
  alignas(kCacheLine) ThreadLocal<std::uint64_t> variable_{
      {.name = "counter", .initial = {}, .lifetime = Lifetime::thread}};
};

struct Contestant {
  std::string name;
  AccessLoop loop;
  Series times;  // ns over threads
};

enum Position : std::size_t { kLock, kAtomic, kMap, kNative, kCarrel };

std::vector<Contestant> contestants(Places& places, CountingIn remedy) {
  const auto with_lock = [&](std::size_t accesses) { places.with_lock(accesses); };
  const auto with_carrel = [&](std::size_t accesses) { places.with_carrel(accesses); };
  std::vector<Contestant> all = {
      {"lock", with_lock, {}},
      {"atomic", [&](std::size_t accesses) { places.with_atomic(accesses); }, {}},
      {"concurrent map", [&](std::size_t accesses) { places.with_map(accesses); }, {}},
      {"thread_local", &Places::with_native, {}},
      {"carrel", with_carrel, {}},
  };
  if (remedy == CountingIn::lock) all[kCarrel].loop = with_lock;
  for (Contestant& contestant : all) contestant.times.name = contestant.name;
  return all;
}

void measure(std::vector<Contestant>& all, const CostOptions& options, const Context& context) {
  std::vector<AccessLoop> loops;
  for (const Contestant& contestant : all) loops.push_back(contestant.loop);
  for (const std::size_t threads : doubling_threads(options.threads_max)) {
    context.progress(fmt::format("{} threads", threads));
    const std::vector<double> times = options.contest.run(threads, loops);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i].times.points.push_back({static_cast<double>(threads), times[i]});
  }
}

Table table_of(const std::vector<Contestant>& all, const JvmTwin& twin) {
  Table table{.title = "Processor time of an access", .columns = {{"threads"}}, .rows = {}};
  for (const Contestant& contestant : all) table.columns.push_back({contestant.name, "ns"});
  for (const char* name : {"lock", "ThreadLocal"})
    table.columns.push_back({fmt::format("JVM, {}", name), "ns"});
  for (std::size_t i = 0; i < all[kLock].times.points.size(); ++i) {
    const auto threads = static_cast<std::int64_t>(all[kLock].times.points[i].x);
    std::vector<Cell> row{threads};
    for (const Contestant& contestant : all) row.emplace_back(contestant.times.points[i].y);
    for (const char* name : {"lock", "ThreadLocal"})
      row.push_back(twin.cell(fmt::format("{}, {}", name, threads)));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

Report run_cost(const CostOptions& options, const Context& context) {
  Places places;
  std::vector<Contestant> all = contestants(places, options.remedy);
  measure(all, options, context);
  context.progress("the Java twin");
  const JvmTwin twin =
      run_jvm_twin(context.jvm_twins, "LabCost", {std::to_string(options.threads_max)});

  Report report{
      .name = "cost",
      .claim =
          "what threads share, or find in a map that they share, costs many times what each has "
          "for itself; Carrel's get is of the second kind, however many threads there are"};
  report.tables.push_back(table_of(all, twin));
  Chart chart{.file_name = "cost-access",
              .title = "Processor time of an access as threads grow",
              .x = {"threads", "", Scaling::doublings},
              .y = {"processor time of an access", "ns", Scaling::decades},
              .series = {}};
  for (const Contestant& contestant : all) chart.series.push_back(contestant.times);
  twin.add_curves(chart);
  report.charts.push_back(std::move(chart));

  const auto last = [&](Position position) { return all[position].times.points.back().y; };
  const auto times = [&](Position position) { return last(position) / last(kCarrel); };
  report.findings = {
      {fmt::format("lock to carrel's get, {} threads", options.threads_max), times(kLock),
       Relation::at_least, kLockToOwnMin, "x"},
      {fmt::format("concurrent map to carrel's get, {} threads", options.threads_max), times(kMap),
       Relation::at_least, kMapToOwnMin, "x"},
      {fmt::format("carrel's get with {} threads to one", options.threads_max),
       last(kCarrel) / all[kCarrel].times.points.front().y, Relation::below, kGrowthMax, "x"},
  };
  report.notes.push_back(fmt::format("thread_local to carrel's get: {:.2f}x, shown and not judged",
                                     last(kCarrel) / last(kNative)));
  twin.add_note(report);
  return report;
}

}  // namespace carrel::lab
