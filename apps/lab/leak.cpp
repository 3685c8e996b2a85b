#include "lab/leak.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"
#include "lab/jvm_twin.h"
#include "lab/memory_meter.h"
#include "lab/plain_pool.h"

namespace carrel::lab {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Post = std::function<void(std::function<void()>)>;

constexpr double kMib = 1 << 20;
constexpr double kLeakMibMin = 20;   // what scenario 3 must hold beyond scenario 2 to count as leak
constexpr double kRemedyMibMax = 1;  // and what it may hold behind a boundary
constexpr std::int64_t kDecimals = 100;

using Block = std::vector<std::byte>;  // filled, hence resident

Block make_block(std::size_t bytes) {
  return Block(bytes, std::byte{1});
}

// The language's own thread-local: what everybody uses, and nobody can see into from outside.
Block& native_variable() {
  thread_local Block block;
  return block;
}

// What a task passes on its way from the pool's queue to a thread.
enum class Door { none, boundary };

std::string_view name_of(Door door) {
  return door == Door::none ? "no boundary" : "boundary";
}

struct Scenario {
  int number;  // 1 to 3
  std::string variable;
  Door door;
  std::function<void()> task;

  [[nodiscard]] std::string name() const {
    return fmt::format("{}{}{}", number, variable.empty() ? "" : ", ", variable);
  }
};

struct Sample {
  double seconds = 0;
  double live_mib = 0;      // above the level before the first task
  double resident_mib = 0;  // the same
};

struct Measurement {
  std::vector<Sample> samples;
  [[nodiscard]] const Sample& last() const { return samples.back(); }
};

// The load grows: one task in the first round, from half-time on one for each thread.
std::size_t tasks_in_round(int round, const LeakOptions& options) {
  const auto past = static_cast<std::size_t>(round - 1);
  const auto rounds = static_cast<std::size_t>(options.rounds);
  return std::min(options.threads, 1 + past * 2 * options.threads / rounds);
}

std::size_t tasks_in_all(const LeakOptions& options) {
  std::size_t tasks = 0;
  for (int round = 1; round <= options.rounds; ++round) tasks += tasks_in_round(round, options);
  return tasks;
}

// Runs `task` on so many threads of a pool, and nothing on the rest; all threads are inside before
// any goes on.
// When it returns, the tasks' own code has run; whatever the pool does after a task may be under
// way, but is over before that thread starts its next task.
void run_on_threads(std::size_t count, std::size_t threads, const Post& post,
                    const std::function<void()>& task) {
  struct Meeting {
    explicit Meeting(std::ptrdiff_t count) : inside(count), done(count) {}
    std::latch inside;
    std::latch done;
  };
  const auto meeting = std::make_shared<Meeting>(static_cast<std::ptrdiff_t>(threads));
  for (std::size_t i = 0; i < threads; ++i)
    post([meeting, task, busy = i < count] {
      meeting->inside.arrive_and_wait();
      if (busy) task();
      meeting->done.count_down();
    });
  meeting->done.wait();
}

class Leftovers {
 public:
  void add(std::span<const Leftover> found) {
    const std::lock_guard lock(mutex_);
    for (const Leftover& leftover : found) {
      auto& [count, bytes, task] = found_[leftover.variable];
      ++count;
      bytes += static_cast<std::int64_t>(leftover.bytes);
      task = leftover.task;
    }
  }
  struct Sum {
    std::int64_t count = 0;
    std::int64_t bytes = 0;
    std::string task;
  };
  [[nodiscard]] std::map<std::string, Sum> found() const {
    const std::lock_guard lock(mutex_);
    return found_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Sum> found_;  // guarded by mutex_
};

class LeakExperiment {
 public:
  LeakExperiment(const LeakOptions& options, const Context& context)
      : options_(options), context_(context) {}

  Report run();

 private:
  std::vector<Scenario> scenarios();
  Measurement measure(const Scenario& scenario);
  Measurement measure_on(const Scenario& scenario, const Post& post);
  [[nodiscard]] double above_scenario_two(const std::string& name, Door door,
                                          double Sample::* figure) const;
  [[nodiscard]] Cell jvm_cell(const Scenario& scenario) const;
  void add_tables(Report& report) const;
  void add_charts(Report& report) const;
  void add_findings(Report& report) const;

  const LeakOptions& options_;
  const Context& context_;
  ThreadLocal<Block> thread_variable_{{.name = "report buffer", .initial = {}}};
  RequestLocal<Block> request_variable_{"report buffer"};
  Leftovers leftovers_;
  std::vector<std::pair<Scenario, Measurement>> results_;
  JvmTwin twin_;
};

std::vector<Scenario> LeakExperiment::scenarios() {
  const std::size_t bytes = options_.block_bytes;
  const auto nothing = [] {};
  const auto drop = [bytes] { (void)make_block(bytes).data(); };
  const auto keep_native = [bytes] { native_variable() = make_block(bytes); };
  const auto keep_thread = [this, bytes] {
    thread_variable_.set(make_block(bytes));
    thread_variable_.publish_bytes(bytes);
  };
  const auto keep_request = [this, bytes] { request_variable_.set(make_block(bytes)); };
  return {
      {1, "", Door::none, nothing},
      {2, "", Door::none, drop},
      {3, "thread_local", Door::none, keep_native},
      {3, "ThreadLocal", Door::none, keep_thread},
      {1, "", Door::boundary, nothing},
      {2, "", Door::boundary, drop},
      {3, "RequestLocal", Door::boundary, keep_request},
      {3, "ThreadLocal", Door::boundary, keep_thread},
  };
}

Measurement LeakExperiment::measure(const Scenario& scenario) {
  context_.progress(fmt::format("scenario {}, {}", scenario.name(), name_of(scenario.door)));
  Boundary boundary(
      {.audit = options_.audit,
       .on_leftover = [this](std::span<const Leftover> found) { leftovers_.add(found); }});
  PlainPool pool(options_.threads);
  if (scenario.door == Door::none)
    return measure_on(scenario, [&](std::function<void()> task) { pool.post(std::move(task)); });
  return measure_on(scenario, [&](const std::function<void()>& task) {
    pool.post([&boundary, task] { boundary.run({.name = "leak task"}, task); });
  });
}

Measurement LeakExperiment::measure_on(const Scenario& scenario, const Post& post) {
  const auto stand_still = [&] { run_on_threads(0, options_.threads, post, [] {}); };
  stand_still();  // every thread has its stack and its arena before the first look
  release_free_memory();
  const MemoryUse before = memory_in_use();
  const auto started = SteadyClock::now();
  const auto look = [&]() -> Sample {
    const MemoryUse now = memory_in_use();
    return {std::chrono::duration<double>(SteadyClock::now() - started).count(),
            static_cast<double>(now.live_bytes - before.live_bytes) / kMib,
            static_cast<double>(now.resident_bytes - before.resident_bytes) / kMib};
  };
  Measurement measurement{{{0, 0, 0}}};
  measurement.samples.reserve(static_cast<std::size_t>(options_.rounds) + 1);
  for (int round = 1; round <= options_.rounds; ++round) {
    run_on_threads(tasks_in_round(round, options_), options_.threads, post, scenario.task);
    stand_still();  // what the pool does after a task is over now
    measurement.samples.push_back(look());
    std::this_thread::sleep_until(started + round * options_.pace);
  }
  return measurement;
}

double LeakExperiment::above_scenario_two(const std::string& name, Door door,
                                          double Sample::* figure) const {
  double two = 0;
  double three = 0;
  for (const auto& [scenario, measurement] : results_) {
    if (scenario.door != door) continue;
    if (scenario.number == 2) two = measurement.last().*figure;
    if (scenario.variable == name) three = measurement.last().*figure;
  }
  return three - two;
}

// The JVM has ThreadLocal only, and no boundary.
Cell LeakExperiment::jvm_cell(const Scenario& scenario) const {
  if (!twin_.ran()) return twin_.cell("");
  return scenario.door == Door::none ? twin_.cell(scenario.name()) : Cell("-");
}

void LeakExperiment::add_tables(Report& report) const {
  Table held{.title = fmt::format("Held after {} tasks on {} threads, above the level before them",
                                  tasks_in_all(options_), options_.threads),
             .columns = {{"scenario"},
                         {"tasks pass"},
                         {"live", "MiB"},
                         {"resident", "MiB"},
                         {"JVM, live", "MiB"}},
             .rows = {}};
  for (const auto& [scenario, measurement] : results_)
    held.rows.push_back({scenario.name(), std::string(name_of(scenario.door)),
                         measurement.last().live_mib, measurement.last().resident_mib,
                         jvm_cell(scenario)});
  report.tables.push_back(std::move(held));

  Table named{.title = "What the boundary's audit found left behind",
              .columns = {{"variable"}, {"by task"}, {"times"}, {"bytes", "MiB"}},
              .rows = {}};
  for (const auto& [variable, sum] : leftovers_.found())
    named.rows.push_back({variable, sum.task, sum.count, static_cast<double>(sum.bytes) / kMib});
  report.tables.push_back(std::move(named));
}

void LeakExperiment::add_charts(Report& report) const {
  const auto chart = [&](std::string file, const std::string& label, double Sample::* figure) {
    Chart made{
        .file_name = std::move(file),
        .title = label + " while tasks run on " + std::to_string(options_.threads) + " threads",
        .x = {"time", "s"},
        .y = {label + " above the start", "MiB"},
        .series = {}};
    for (const auto& [scenario, measurement] : results_) {
      Series series{fmt::format("{} ({})", scenario.name(), name_of(scenario.door)), {}};
      for (const Sample& sample : measurement.samples)
        series.points.push_back({sample.seconds, sample.*figure});
      made.series.push_back(std::move(series));
    }
    return made;
  };
  report.charts.push_back(chart("leak-live", "Live memory", &Sample::live_mib));
  twin_.add_curves(report.charts.back());
  report.charts.push_back(chart("leak-resident", "Resident memory", &Sample::resident_mib));
}

void LeakExperiment::add_findings(Report& report) const {
  const auto add = [&](std::string_view figure_name, double Sample::* figure) {
    const auto finding = [&](std::string variable, Door door, Relation relation, double required) {
      const double above = above_scenario_two(variable, door, figure);
      report.findings.push_back({fmt::format("{} memory of scenario 3 above scenario 2, {}, {}",
                                             figure_name, variable, name_of(door)),
                                 std::round(above * kDecimals) / kDecimals, relation, required,
                                 "MiB"});
    };
    finding("thread_local", Door::none, Relation::at_least, kLeakMibMin);
    finding("ThreadLocal", Door::none, Relation::at_least, kLeakMibMin);
    finding("RequestLocal", Door::boundary, Relation::below, kRemedyMibMax);
    finding("ThreadLocal", Door::boundary, Relation::below, kRemedyMibMax);
  };
  add("live", &Sample::live_mib);
  if (residency() == Residency::follows_live_bytes) {
    add("resident", &Sample::resident_mib);
  } else {
    report.notes.emplace_back(
        "resident memory is shown and not judged: this program runs under a sanitizer, which keeps "
        "freed memory");
  }
  const auto tasks = static_cast<double>(tasks_in_all(options_));
  const auto found = leftovers_.found();
  const auto entry = found.find(std::string(thread_variable_.name()));
  const std::int64_t named = entry == found.end() ? 0 : entry->second.count;
  report.findings.push_back({"tasks of scenario 3 that the audit named for what they left",
                             static_cast<double>(named), Relation::exactly, tasks, ""});
}

Report LeakExperiment::run() {
  pin_mmap_threshold();
  for (Scenario& scenario : scenarios()) {
    Measurement measurement = measure(scenario);
    results_.emplace_back(std::move(scenario), std::move(measurement));
  }
  context_.progress("the Java twin");
  twin_ =
      run_jvm_twin(context_.jvm_twins, "LabLeak",
                   {std::to_string(options_.threads), std::to_string(options_.rounds),
                    std::to_string(options_.block_bytes), std::to_string(options_.pace.count())});
  Report report{.name = "leak",
                .claim =
                    "what tasks leave in thread-locals stays as long as the threads; behind a "
                    "boundary it is gone with the task, and named"};
  add_tables(report);
  add_charts(report);
  add_findings(report);
  report.notes.emplace_back(
      "the boundary clears carrel's variables; a native thread_local is out of everybody's sight, "
      "and leaks behind a boundary as well");
  twin_.add_note(report);
  return report;
}

}  // namespace

Report run_leak(const LeakOptions& options, const Context& context) {
  return LeakExperiment(options, context).run();
}

}  // namespace carrel::lab
