// Compiled with optimisation in every configuration, as cost.cpp is.
#include "lab/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/inspect.h"
#include "lab/counted_block.h"
#include "lab/crew.h"
#include "lab/thread_keyed_map.h"

namespace carrel::lab {
namespace {

constexpr double kKib = 1 << 10;
constexpr double kLockedToOwnMin = 5;  // the early design's access costs at least so many of ours
constexpr std::string_view kVariableName = "design variable";

// A value that is counted while it lives, and whose first word is what an access changes.
struct Value {
  std::uint64_t accesses = 0;
  CountedBlock block;
};

void count_one(Value& value) {
  ++value.accesses;
  asm volatile("" : : : "memory");
}

// One design with some variables, which all threads use in turn.
class Design {
 public:
  explicit Design(std::string name) : name_(std::move(name)) {}
  Design(const Design&) = delete;
  Design& operator=(const Design&) = delete;
  virtual ~Design() = default;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  virtual void access(std::size_t accesses) = 0;
  // Of the fullest map, while the threads live.
  [[nodiscard]] virtual std::size_t entries_of_a_map() = 0;

 private:
  std::string name_;
};

template <class Map>
class ByVariable final : public Design {
 public:
  ByVariable(std::string name, std::size_t variables, const std::function<Value()>& initial)
      : Design(std::move(name)) {
    while (variables-- > 0) maps_.push_back(std::make_unique<Map>(initial));
  }
  void access(std::size_t accesses) override {
    for (std::size_t i = 0; i < accesses; ++i) count_one(maps_[i % maps_.size()]->mine());
  }
  [[nodiscard]] std::size_t entries_of_a_map() override {
    std::size_t most = 0;
    for (const auto& map : maps_) most = std::max(most, map->entries());
    return most;
  }

 private:
  std::vector<std::unique_ptr<Map>> maps_;
};

class ByThread final : public Design {
  using Variable = ThreadLocal<Value>;

 public:
  ByThread(std::size_t variables, const std::function<Value()>& initial) : Design("carrel") {
    while (variables-- > 0)
      variables_.push_back(std::make_unique<Variable>(Variable::Options{
          .name = std::string(kVariableName), .initial = initial, .lifetime = Lifetime::thread}));
  }
  void access(std::size_t accesses) override {
    for (std::size_t i = 0; i < accesses; ++i) count_one(variables_[i % variables_.size()]->get());
  }
  [[nodiscard]] std::size_t entries_of_a_map() override {
    std::size_t most = 0;
    for (const InspectedThread& thread : inspect().threads)
      most = std::max<std::size_t>(
          most, static_cast<std::size_t>(
                    std::ranges::count(thread.entries, kVariableName, &InspectedEntry::variable)));
    return most;
  }

 private:
  std::vector<std::unique_ptr<Variable>> variables_;
};

std::vector<std::unique_ptr<Design>> designs(const DesignOptions& options, ByteTally& tally) {
  const auto initial = [&tally, bytes = options.value_bytes] {
    return Value{0, CountedBlock(tally, bytes)};
  };
  const auto locked = [&](std::string name) {
    return std::make_unique<ByVariable<LockedMap<Value>>>(std::move(name), options.variables,
                                                          initial);
  };
  std::vector<std::unique_ptr<Design>> all;
  all.push_back(locked("locked map for each variable"));
  all.push_back(std::make_unique<ByVariable<StripedMap<Value>>>("concurrent map for each variable",
                                                                options.variables, initial));
  if (options.remedy == MapFor::each_thread) {
    all.push_back(std::make_unique<ByThread>(options.variables, initial));
  } else {
    all.push_back(locked("carrel"));
  }
  return all;
}

// One design at one number of threads.
struct Figures {
  double access_ns = 0;
  std::size_t entries = 0;
  std::int64_t bytes_left = 0;  // after the threads have ended
};

struct Line {
  std::size_t threads;
  std::vector<Figures> designs;
};

// The threads of a line are new ones, and so are the variables: what is left is of these threads.
Line measure(std::size_t threads, const DesignOptions& options) {
  Line line{threads, {}};
  std::vector<AccessLoop> loops;
  {
    ByteTally of_times;
    const auto all = designs(options, of_times);
    for (const auto& design : all)
      loops.emplace_back([&design](std::size_t accesses) { design->access(accesses); });
    for (const double time : options.contest.run(threads, loops)) line.designs.push_back({time});
  }
  for (std::size_t i = 0; i < line.designs.size(); ++i) {
    ByteTally tally;
    const auto all = designs(options, tally);
    {
      Crew crew(threads);
      crew.each([&](std::size_t /*n*/) { all[i]->access(options.variables); });
      line.designs[i].entries = all[i]->entries_of_a_map();
    }
    line.designs[i].bytes_left = tally.held();
  }
  return line;
}

std::vector<std::string> names_of(const DesignOptions& options) {
  ByteTally none;
  std::vector<std::string> names;
  for (const auto& design : designs(options, none)) names.push_back(design->name());
  return names;
}

Table table_of(std::string title, const std::string& unit, const std::vector<std::string>& names,
               const std::vector<Line>& lines, const std::function<Cell(const Figures&)>& cell) {
  Table table{.title = std::move(title), .columns = {{"threads"}}, .rows = {}};
  for (const std::string& name : names) table.columns.push_back({name, unit});
  for (const Line& line : lines) {
    std::vector<Cell> row{static_cast<std::int64_t>(line.threads)};
    for (const Figures& figures : line.designs) row.push_back(cell(figures));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Chart chart_of(const Table& table, std::string file_name, Axis y) {
  Chart chart{.file_name = std::move(file_name),
              .title = table.title + ", as threads grow",
              .x = {"threads", "", Scaling::doublings},
              .y = std::move(y),
              .series = {}};
  for (std::size_t column = 1; column < table.columns.size(); ++column) {
    Series series{table.columns[column].name, {}};
    for (const auto& row : table.rows) {
      const double threads = static_cast<double>(std::get<std::int64_t>(row[0]));
      series.points.push_back(
          {threads, std::visit(
                        [](const auto& content) {
                          if constexpr (std::is_arithmetic_v<std::decay_t<decltype(content)>>)
                            return static_cast<double>(content);
                          return 0.0;
                        },
                        row[column])});
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::vector<Finding> findings_of(const Line& last, const DesignOptions& options) {
  const Figures& locked = last.designs.at(0);
  const Figures& striped = last.designs.at(1);
  const Figures& own = last.designs.at(2);
  const auto threads = static_cast<double>(options.threads_max);
  const double all_kib =
      threads * static_cast<double>(options.variables * options.value_bytes) / kKib;
  const auto kib = [](std::int64_t bytes) { return static_cast<double>(bytes) / kKib; };
  return {
      {fmt::format("access in a locked map to carrel's, {} threads", threads),
       locked.access_ns / own.access_ns, Relation::at_least, kLockedToOwnMin, "x"},
      {"entries in a locked map", static_cast<double>(locked.entries), Relation::exactly, threads},
      {"entries in a concurrent map", static_cast<double>(striped.entries), Relation::exactly,
       threads},
      {"entries in a thread's map, carrel", static_cast<double>(own.entries), Relation::exactly,
       static_cast<double>(options.variables)},
      {"left when the threads have ended, locked map", kib(locked.bytes_left), Relation::exactly,
       all_kib, "KiB"},
      {"left when the threads have ended, concurrent map", kib(striped.bytes_left),
       Relation::exactly, all_kib, "KiB"},
      {"left when the threads have ended, carrel", kib(own.bytes_left), Relation::exactly, 0,
       "KiB"},
  };
}

}  // namespace

Report run_design(const DesignOptions& options, const Context& context) {
  std::vector<Line> lines;
  for (const std::size_t threads : doubling_threads(options.threads_max)) {
    context.progress(fmt::format("{} threads", threads));
    lines.push_back(measure(threads, options));
  }
  const std::vector<std::string> names = names_of(options);
  Report report{.name = "design",
                .claim =
                    "a map for each variable grows with the threads, is fought over by them and "
                    "outlives them; a map for each thread does none of that"};
  report.tables = {
      table_of("Processor time of an access", "ns", names, lines,
               [](const Figures& figures) -> Cell { return figures.access_ns; }),
      table_of("Entries of one map", "", names, lines,
               [](const Figures& figures) -> Cell {
                 return static_cast<std::int64_t>(figures.entries);
               }),
      table_of("Left when the threads have ended", "KiB", names, lines,
               [](const Figures& figures) -> Cell {
                 return static_cast<double>(figures.bytes_left) / kKib;
               }),
  };
  report.charts = {
      chart_of(report.tables[0], "design-access",
               {"processor time of an access", "ns", Scaling::decades}),
      chart_of(report.tables[1], "design-entries", {"entries of one map", ""}),
      chart_of(report.tables[2], "design-left", {"left by ended threads", "KiB"}),
  };
  report.findings = findings_of(lines.back(), options);
  report.notes.push_back(fmt::format("{} variables of {} bytes, used in turn by every thread",
                                     options.variables, options.value_bytes));
  return report;
}

}  // namespace carrel::lab
