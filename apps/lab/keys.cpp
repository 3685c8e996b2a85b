#include "lab/keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "lab/counted_block.h"
#include "lab/crew.h"
#include "lab/jvm_twin.h"
#include "lab/weak_key_map.h"

namespace carrel::lab {
namespace {

constexpr double kMib = 1 << 20;
constexpr std::size_t kLaterVariables = 4;  // that each thread meets in a step of its later work
constexpr std::size_t kLaterBytes = 64;

// How threads hold values of variables: the one thing in which the four ways differ.
class Holding {
 public:
  Holding() = default;
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;
  virtual ~Holding() = default;

  // Called while the threads stand still.
  virtual void declare(std::size_t count) = 0;
  virtual void drop(std::size_t count) = 0;  // the oldest of those that live
  // Called on thread n, about its own value of the newest variable but `back`.
  virtual void give(std::size_t n, std::size_t back, CountedBlock value) = 0;
};

template <class Variable>
void erase_oldest(std::vector<Variable>& variables, std::size_t count) {
  variables.erase(variables.begin(), variables.begin() + static_cast<std::ptrdiff_t>(count));
}

using StrongMap = std::unordered_map<WeakKey, CountedBlock>;  // a shared_ptr as key is a strong one
using WeakMap = WeakKeyMap<CountedBlock>;

void insert(StrongMap& map, const WeakKey& key, CountedBlock value) {
  map.insert_or_assign(key, std::move(value));
}
void insert(WeakMap& map, const WeakKey& key, CountedBlock value) {
  map.set(key, std::move(value));
}

template <class Map>
class MapForEachThread final : public Holding {
 public:
  explicit MapForEachThread(std::size_t threads) : maps_(threads) {}
  void declare(std::size_t count) override {
    while (count-- > 0) variables_.push_back(std::make_shared<const WeakVariable>(number_++));
  }
  void drop(std::size_t count) override { erase_oldest(variables_, count); }
  void give(std::size_t n, std::size_t back, CountedBlock value) override {
    insert(maps_[n], variables_[variables_.size() - 1 - back], std::move(value));
  }

 private:
  std::vector<Map> maps_;  // the n-th is thread n's own
  std::vector<WeakKey> variables_;
  std::size_t number_ = 0;
};

class CarrelKeys final : public Holding {
  using Variable = ThreadLocal<CountedBlock>;

 public:
  CarrelKeys(ByteTally& tally, Reclaim reclaim) : tally_(tally), reclaim_(reclaim) {}
  void declare(std::size_t count) override {
    while (count-- > 0)
      variables_.push_back(std::make_unique<Variable>(Variable::Options{
          .initial = [this] { return CountedBlock(tally_, 0); }, .reclaim = reclaim_}));
  }
  void drop(std::size_t count) override { erase_oldest(variables_, count); }
  void give(std::size_t /*n*/, std::size_t back, CountedBlock value) override {
    variables_[variables_.size() - 1 - back]->set(std::move(value));
  }

 private:
  ByteTally& tally_;
  Reclaim reclaim_;
  std::vector<std::unique_ptr<Variable>> variables_;
};

enum class LaterWork { none, other_variables };

struct Trial {
  std::string name;
  Series held;  // MiB after every step
  // In bytes:
  std::int64_t given = 0;
  std::int64_t when_all_have_died = 0;
  std::int64_t at_the_end = 0;
  std::int64_t beyond_living_max = 0;  // while variables died
};

Trial run_trial(std::string name, Holding& holding, ByteTally& tally, LaterWork later,
                const KeysOptions& options) {
  Crew crew(options.threads);
  Trial trial{.name = name, .held = {std::move(name), {{0, 0}}}};
  const auto look = [&] {
    const std::int64_t bytes = tally.held();
    trial.held.points.push_back(
        {static_cast<double>(trial.held.points.size()), static_cast<double>(bytes) / kMib});
    return bytes;
  };
  const auto give_all = [&](std::size_t variables, std::size_t bytes) {
    crew.each([&](std::size_t n) {
      for (std::size_t back = 0; back < variables; ++back)
        holding.give(n, back, CountedBlock(tally, bytes));
    });
  };
  holding.declare(options.variables);
  give_all(options.variables, options.value_bytes);
  trial.given = look();

  const std::size_t dying = options.variables / kKeysStretch;
  const std::int64_t bytes_dying = trial.given / static_cast<std::int64_t>(kKeysStretch);
  std::int64_t living = trial.given;
  for (std::size_t step = 1; step <= kKeysStretch; ++step) {
    holding.drop(dying);
    living -= bytes_dying;
    trial.when_all_have_died = look();
    trial.beyond_living_max = std::max(trial.beyond_living_max, trial.when_all_have_died - living);
  }
  for (std::size_t step = 1; step <= kKeysStretch; ++step) {
    if (later == LaterWork::other_variables) {
      holding.declare(kLaterVariables);
      give_all(kLaterVariables, kLaterBytes);
    }
    trial.at_the_end = look();
  }
  return trial;
}

std::vector<Trial> run_trials(const KeysOptions& options, const Context& context) {
  std::vector<Trial> trials;
  ByteTally tally;
  const auto add = [&](std::string name, auto make_holding, LaterWork later) {
    context.progress(name);
    const auto holding = make_holding();
    trials.push_back(run_trial(std::move(name), *holding, tally, later, options));
  };
  const auto strong = [&] {
    return std::make_unique<MapForEachThread<StrongMap>>(options.threads);
  };
  const auto weak = [&] { return std::make_unique<MapForEachThread<WeakMap>>(options.threads); };
  add("strong keys", strong, LaterWork::other_variables);
  add("weak keys, untouched", weak, LaterWork::none);
  add("weak keys, touched again", weak, LaterWork::other_variables);
  add(
      "carrel", [&] { return std::make_unique<CarrelKeys>(tally, options.remedy); },
      LaterWork::none);
  return trials;
}

double mib(std::int64_t bytes) {
  return static_cast<double>(bytes) / kMib;
}

std::vector<Finding> findings_of(const std::vector<Trial>& trials) {
  const Trial& strong = trials.at(0);
  const Trial& untouched = trials.at(1);
  const Trial& touched = trials.at(2);
  const Trial& carrel = trials.at(3);
  const double given = mib(strong.given);
  return {
      {"values given, so that there is something to hold", given, Relation::more_than, 0, "MiB"},
      {"held at the end, strong keys", mib(strong.at_the_end), Relation::at_least, given, "MiB"},
      {"held at the end, weak keys untouched", mib(untouched.at_the_end), Relation::exactly, given,
       "MiB"},
      {"held when all have died, weak keys not yet touched again", mib(touched.when_all_have_died),
       Relation::exactly, given, "MiB"},
      {"held at the end, weak keys touched again", mib(touched.at_the_end), Relation::below, given,
       "MiB"},
      {"held when all have died, carrel", mib(carrel.when_all_have_died), Relation::exactly, 0,
       "MiB"},
      {"most that carrel held beyond living variables", mib(carrel.beyond_living_max),
       Relation::exactly, 0, "MiB"},
  };
}

}  // namespace

Report run_keys(const KeysOptions& options, const Context& context) {
  const std::vector<Trial> trials = run_trials(options, context);
  context.progress("the Java twin");
  const JvmTwin twin =
      run_jvm_twin(context.jvm_twins, "LabKeys",
                   {std::to_string(options.threads), std::to_string(options.variables),
                    std::to_string(options.value_bytes)});

  Report report{
      .name = "keys",
      .claim =
          "when variables die, strong keys keep their values for good and weak keys until "
          "a thread comes by; carrel keeps nothing, at once, on idle threads too"};
  Table table{.title = fmt::format("Values of {} variables on {} threads that live on",
                                   options.variables, options.threads),
              .columns = {{"keys"},
                          {"held when all have died", "MiB"},
                          {"at the end", "MiB"},
                          {"JVM, when all have died", "MiB"},
                          {"JVM, at the end", "MiB"}},
              .rows = {}};
  Chart chart{.file_name = "keys-held",
              .title = "Bytes held while variables die (steps 2 to 9) and threads work on",
              .x = {"step", ""},
              .y = {"held by the threads' maps", "MiB"},
              .series = {}};
  for (const Trial& trial : trials) {
    table.rows.push_back({trial.name, mib(trial.when_all_have_died), mib(trial.at_the_end),
                          twin.cell(trial.name + ", died"), twin.cell(trial.name + ", end")});
    chart.series.push_back(trial.held);
  }
  twin.add_curves(chart);
  report.tables.push_back(std::move(table));
  report.charts.push_back(std::move(chart));
  report.findings = findings_of(trials);
  twin.add_note(report);
  return report;
}

}  // namespace carrel::lab
