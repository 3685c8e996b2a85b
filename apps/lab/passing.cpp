#include "lab/passing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "lab/closed_loop.h"
#include "lab/plain_sqlite.h"
#include "lab/statement_service.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

using namespace std::chrono_literals;

constexpr double kOfPassedMin = 0.9;  // of the throughput with the connection passed
constexpr double kOfLockMin = 3;      // and what a lock must cost to count as a failure

std::string_view describe(ConnectionReach reach) {
  switch (reach) {
    case ConnectionReach::passed:
      return "passed through every layer";
    case ConnectionReach::global_lock:
      return "one, behind a global lock";
    case ConnectionReach::bound:
      return "bound to the transaction";
  }
  return "?";
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A service, and the connections it works with.
class Candidate {
 public:
  Candidate(ConnectionReach reach, const std::filesystem::path& file,
            std::chrono::microseconds round_trip, std::size_t connections)
      : reach_(reach), driver_(plain_sqlite_driver({.file = file, .round_trip = round_trip})) {
    if (reach == ConnectionReach::global_lock) {
      service_ = service_that_locks(*driver_);
      return;
    }
    pool_ = std::make_unique<Pool>(
        PoolOptions{.name = "accounts", .size_max = connections, .size_min = connections},
        *driver_);
    service_ =
        reach == ConnectionReach::passed ? service_that_passes(*pool_) : service_that_binds(*pool_);
  }

  // Requests a second.
  double measure(std::size_t threads, std::chrono::milliseconds time) {
    const LoopResult result = run_closed_loop(threads, time, [this](std::size_t thread) {
      const auto account = static_cast<std::int64_t>(thread) % kAccounts;
      const AccountStatement statement =
          service_->serve({"owner " + std::to_string(account), account});
      if (statement.balance != 75 - account)
        throw Error("lab.wrong_answer", "a statement with a wrong balance");
    });
    if (result.failed_in_all() != 0)
      throw Error("lab.cannot_measure", fmt::format("{} requests failed, connection {}",
                                                    result.failed_in_all(), describe(reach_)));
    return result.per_second();
  }

  [[nodiscard]] ConnectionReach reach() const { return reach_; }
  [[nodiscard]] Coupling coupling() const { return service_->coupling(); }

 private:
  const ConnectionReach reach_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<StatementService> service_;
};

using Candidates = std::array<std::unique_ptr<Candidate>, 3>;

Candidates make_candidates(const std::filesystem::path& file, std::chrono::microseconds round_trip,
                           const PassingOptions& options) {
  const auto make = [&](ConnectionReach reach) {
    return std::make_unique<Candidate>(reach, file, round_trip, options.connections);
  };
  return {make(ConnectionReach::passed), make(ConnectionReach::global_lock), make(options.remedy)};
}

using Rates = std::array<double, 3>;  // requests a second, as the candidates

struct Turns {
  Rates medians;
  std::vector<double> bound_over_passed;  // of each turn
};

// The three in turn, so that what disturbs one disturbs all, many times and briefly.
Turns measure_in_turn(const Candidates& candidates, std::size_t threads,
                      const PassingOptions& options) {
  std::array<std::vector<double>, 3> measured;
  Turns turns{};
  for (int i = 0; i < options.repetitions; ++i) {
    for (std::size_t c = 0; c < candidates.size(); ++c)
      measured[c].push_back(candidates[c]->measure(threads, options.stretch));
    turns.bound_over_passed.push_back(measured[2].back() / measured[0].back());
  }
  turns.medians = {median(measured[0]), median(measured[1]), median(measured[2])};
  return turns;
}

struct Measured {
  std::vector<std::pair<std::size_t, Rates>> by_threads;
  std::vector<double> bound_over_passed;  // of each turn, whatever the number of threads
  Rates without_network;
  std::array<Coupling, 3> coupling;
};

Measured measure(const PassingOptions& options, const Context& context) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "accounts.db";
  fill_accounts(*plain_sqlite_driver({.file = file})->connect({}));
  Measured measured;
  const Candidates distant = make_candidates(file, options.round_trip, options);
  for (const std::size_t threads : options.threads) {
    context.progress(fmt::format("{} threads, the three ways in turn", threads));
    const Turns turns = measure_in_turn(distant, threads, options);
    measured.by_threads.emplace_back(threads, turns.medians);
    measured.bound_over_passed.insert(measured.bound_over_passed.end(),
                                      turns.bound_over_passed.begin(),
                                      turns.bound_over_passed.end());
  }
  context.progress("one thread, and no network between");
  measured.without_network =
      measure_in_turn(make_candidates(file, 0us, options), 1, options).medians;
  for (std::size_t c = 0; c < distant.size(); ++c) measured.coupling[c] = distant[c]->coupling();
  return measured;
}

void show(const Measured& measured, const std::array<ConnectionReach, 3>& reaches,
          const PassingOptions& options, Report& report) {
  Table table{
      .title = fmt::format("Requests a second on {} connections, a round trip of {} us a call",
                           options.connections, options.round_trip.count()),
      .columns = {{"connection"}, {"functions"}, {"that name the connection"}},
      .rows = {}};
  Chart chart{.file_name = "passing-throughput",
              .title = "Throughput by how a function gets its connection",
              .x = {"threads", ""},
              .y = {"requests", "1/s"},
              .series = {}};
  for (const auto& [threads, rates] : measured.by_threads)
    table.columns.push_back({fmt::format("threads: {}", threads), "1/s"});
  table.columns.push_back({"1, no network", "1/s"});
  for (std::size_t c = 0; c < reaches.size(); ++c) {
    std::vector<Cell> row{std::string(describe(reaches[c])), measured.coupling[c].functions,
                          measured.coupling[c].naming};
    Series series{std::string(describe(reaches[c])), {}};
    for (const auto& [threads, rates] : measured.by_threads) {
      row.emplace_back(static_cast<std::int64_t>(rates[c]));
      series.points.push_back({static_cast<double>(threads), rates[c]});
    }
    row.emplace_back(static_cast<std::int64_t>(measured.without_network[c]));
    table.rows.push_back(std::move(row));
    chart.series.push_back(std::move(series));
  }
  report.tables.push_back(std::move(table));
  report.charts.push_back(std::move(chart));
}

}  // namespace

Report run_passing(const PassingOptions& options, const Context& context) {
  const Measured measured = measure(options, context);
  Report report{.name = "passing",
                .claim =
                    "a bound connection has the throughput of one that is passed, without a "
                    "signature that names it; a global lock does not have it"};
  show(measured, {ConnectionReach::passed, ConnectionReach::global_lock, options.remedy}, options,
       report);

  const auto& [threads_max, busiest] = measured.by_threads.back();
  report.findings = {
      {"functions that name the connection, passed",
       static_cast<double>(measured.coupling[0].naming), Relation::more_than, 0},
      {"functions that name the connection, bound",
       static_cast<double>(measured.coupling[2].naming), Relation::exactly, 0},
      {"throughput, bound over passed, median of all turns", median(measured.bound_over_passed),
       Relation::at_least, kOfPassedMin},
      {fmt::format("throughput, bound over global lock, {} threads", threads_max),
       busiest[2] / busiest[1], Relation::at_least, kOfLockMin},
  };
  return report;
}

}  // namespace carrel::lab
