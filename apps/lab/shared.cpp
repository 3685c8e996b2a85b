#include "lab/shared.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "lab/jvm_twin.h"

namespace carrel::lab {
namespace {

constexpr int kStart = 100;

// Atomic, so that what goes wrong is the sharing alone and not a data race on top of it.
struct Sum {
  std::atomic<int> value{kStart};
};

// What the compiler says of the mistake. The same condition refuses the declaration itself; the
// tests RefusedByCompiler.PointerWithoutBorrowed and .SharedPointerWithoutBorrowed try that.
struct Compiles {
  static constexpr bool pointer = OwnOrBorrowed<Sum*>;
  static constexpr bool shared_pointer = OwnOrBorrowed<std::shared_ptr<Sum>>;
  static constexpr bool borrowed_pointer = OwnOrBorrowed<borrowed<Sum*>>;
  static constexpr bool object = OwnOrBorrowed<Sum>;
};

// Thread n adds n to what `mine` gives it; all add before any reads. Returns what each has read.
std::vector<int> add_and_read(int threads, const std::function<Sum&()>& mine) {
  std::vector<int> read(static_cast<std::size_t>(threads));
  std::barrier all_have_added(threads);
  {
    std::vector<std::jthread> running;
    for (int n = 1; n <= threads; ++n)
      running.emplace_back([&, n] {
        mine().value += n;
        all_have_added.arrive_and_wait();
        read[static_cast<std::size_t>(n - 1)] = mine().value;
      });
  }
  return read;
}

std::vector<int> read_with(InitialValue initial, int threads) {
  if (initial == InitialValue::fresh) {
    const ThreadLocal<Sum> sum;
    return add_and_read(threads, [&]() -> Sum& { return sum.get(); });
  }
  Sum the_one;
  const ThreadLocal<borrowed<Sum*>> sum{{.name = "sum", .initial = [&] { return &the_one; }}};
  return add_and_read(threads, [&]() -> Sum& { return *sum.get(); });
}

Series curve(std::string name, const std::vector<int>& read) {
  Series series{std::move(name), {}};
  for (std::size_t i = 0; i < read.size(); ++i)
    series.points.push_back({static_cast<double>(i + 1), static_cast<double>(read[i])});
  return series;
}

Table what_was_read(const std::vector<int>& shared, const std::vector<int>& remedied,
                    const JvmTwin& twin) {
  Table table{.title = "What each thread reads after all have added",
              .columns = {{"thread"},
                          {"adds"},
                          {"one shared object"},
                          {"a fresh object each"},
                          {"JVM, shared"},
                          {"JVM, fresh"}},
              .rows = {}};
  for (std::size_t i = 0; i < shared.size(); ++i)
    table.rows.push_back({fmt::format("{}", i + 1), static_cast<std::int64_t>(i + 1),
                          std::int64_t{shared[i]}, std::int64_t{remedied[i]},
                          twin.cell(fmt::format("shared {}", i + 1)),
                          twin.cell(fmt::format("fresh {}", i + 1))});
  return table;
}

Table what_compiles() {
  const auto answer = [](bool compiles) { return compiles ? "yes" : "no"; };
  return {.title = "What the compiler lets through",
          .columns = {{"declaration"}, {"compiles"}},
          .rows = {{"ThreadLocal<Sum*>", answer(Compiles::pointer)},
                   {"ThreadLocal<std::shared_ptr<Sum>>", answer(Compiles::shared_pointer)},
                   {"ThreadLocal<borrowed<Sum*>>", answer(Compiles::borrowed_pointer)},
                   {"ThreadLocal<Sum>", answer(Compiles::object)}}};
}

std::vector<Finding> findings_of(const std::vector<int>& shared, const std::vector<int>& remedied,
                                 int everything) {
  double right = 0;
  for (std::size_t i = 0; i < remedied.size(); ++i)
    right += remedied[i] == kStart + static_cast<int>(i + 1) ? 1 : 0;
  const auto as_number = [](bool answer) { return answer ? 1.0 : 0.0; };
  const auto threads = static_cast<double>(shared.size());
  return {
      {fmt::format("threads that read {}, one shared object", everything),
       static_cast<double>(std::ranges::count(shared, everything)), Relation::exactly, threads},
      {"threads that read their own sum, a fresh object each", right, Relation::exactly, threads},
      {"declarations of the shared form that compile without borrowed",
       as_number(Compiles::pointer) + as_number(Compiles::shared_pointer), Relation::exactly, 0},
      {"declarations that shall compile and do",
       as_number(Compiles::borrowed_pointer) + as_number(Compiles::object), Relation::exactly, 2},
  };
}

}  // namespace

Report run_shared(const SharedOptions& options, const Context& context) {
  context.progress(fmt::format("{} threads add to one object, and to one each", options.threads));
  const std::vector<int> shared = read_with(InitialValue::shared, options.threads);
  const std::vector<int> remedied = read_with(options.remedy, options.threads);
  context.progress("the Java twin");
  const JvmTwin twin =
      run_jvm_twin(context.jvm_twins, "LabShared", {std::to_string(options.threads)});

  Report report{.name = "shared",
                .claim =
                    "one static object put into a thread-local is one value for all threads; a "
                    "fresh initial value is one for each, and the shared one must say borrowed to "
                    "compile"};
  report.tables = {what_was_read(shared, remedied, twin), what_compiles()};
  Chart chart{.file_name = "shared-sums",
              .title = "What each thread reads after all have added",
              .x = {"thread", ""},
              .y = {"its sum", ""},
              .series = {curve("one shared object", shared),
                         curve("a fresh object for each thread", remedied)}};
  twin.add_curves(chart);
  report.charts.push_back(std::move(chart));
  const int everything = kStart + options.threads * (options.threads + 1) / 2;
  report.findings = findings_of(shared, remedied, everything);
  twin.add_note(report);
  return report;
}

}  // namespace carrel::lab
