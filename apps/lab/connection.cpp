#include "lab/connection.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/scope/boundary.h"
#include "carrel/session/session.h"
#include "lab/database.h"
#include "lab/plain_pool.h"
#include "lab/random_draws.h"
#include "lab/shared_connection.h"

namespace carrel::lab {
namespace {

constexpr std::string_view kCreateTable = "create table voucher_row (request integer, leg integer)";
constexpr std::string_view kInsertRow = "insert into voucher_row (request, leg) values ($1, $2)";
constexpr int kLegs = 2;

std::string_view describe(ConnectionKeeping keeping) {
  switch (keeping) {
    case ConnectionKeeping::closed_after_use:
      return "static, closed after use";
    case ConnectionKeeping::forgotten_closed:
      return "static, forgotten once closed";
    case ConnectionKeeping::never_closed:
      return "static, never closed";
    case ConnectionKeeping::bound:
      return "bound to the transaction";
  }
  return "?";
}

struct Request {
  std::int64_t number;
  bool rolls_back;
};

// What the request was told at its end, and its caller after it.
enum class Told { failed, rolled_back, committed };

struct Tally {
  std::int64_t requests = 0;
  std::int64_t opened = 0;
  std::int64_t opened_twice = 0;
  std::int64_t closed_under_use = 0;
  std::int64_t handed_out_closed = 0;
  std::int64_t failed_otherwise = 0;
  std::int64_t committed_and_gone = 0;
  std::int64_t undone_and_there = 0;

  [[nodiscard]] std::int64_t gone_wrong() const {
    return closed_under_use + handed_out_closed + failed_otherwise + committed_and_gone +
           undone_and_there;
  }
};

// What both services have in common: what they count, and what they remember to have told.
class Service {
 public:
  Service(const ConnectionOptions& options, Tally& tally, std::size_t requests)
      : options_(options), tally_(tally), told_(requests, Told::failed) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  virtual void serve(const Request& request) = 0;

  // Compares what the table says with what the requests were told; all have ended.
  void end(Connection& database) {
    std::vector<std::int64_t> rows(told_.size());
    for (const Row row :
         database.execute("select request, count(*) from voucher_row group by request", {}))
      rows[row.get<std::size_t>(0)] = row.get<std::int64_t>(1);
    for (std::size_t i = 0; i < told_.size(); ++i) {
      if (told_[i] == Told::committed && rows[i] != kLegs) ++tally_.committed_and_gone;
      if (told_[i] != Told::committed && rows[i] != 0) ++tally_.undone_and_there;
    }
    tally_.requests += static_cast<std::int64_t>(told_.size());
    tally_.closed_under_use += closed_under_use_;
    tally_.handed_out_closed += handed_out_closed_;
    tally_.failed_otherwise += failed_otherwise_;
    count_connections(tally_);
  }

 protected:
  virtual void count_connections(Tally& tally) const = 0;

  void tell(const Request& request, Told what) {
    told_[static_cast<std::size_t>(request.number)] = what;  // a place of its own
  }
  void pause() const { std::this_thread::sleep_for(options_.pause); }

  std::atomic<std::int64_t> closed_under_use_{0};
  std::atomic<std::int64_t> handed_out_closed_{0};
  std::atomic<std::int64_t> failed_otherwise_{0};

 private:
  const ConnectionOptions& options_;
  Tally& tally_;
  std::vector<Told> told_;
};

class StaticService final : public Service {
 public:
  StaticService(const ConnectionOptions& options, Tally& tally, std::size_t requests,
                const Database& database, ConnectionKeeping keeping)
      : Service(options, tally, requests),
        keeping_(keeping),
        driver_(database.several_writers(options.round_trip)),
        static_connection_(*driver_, keeping == ConnectionKeeping::forgotten_closed
                                         ? StaticConnection::Closing::forget_the_closed
                                         : StaticConnection::Closing::keep_the_closed) {}

  void serve(const Request& request) override {
    bool in_use = false;
    try {
      const auto connection = static_connection_.open();
      connection->begin();
      in_use = true;
      connection->execute(kInsertRow, request.number, 1);
      pause();
      connection->execute(kInsertRow, request.number, 2);
      request.rolls_back ? connection->rollback() : connection->commit();
      tell(request, request.rolls_back ? Told::rolled_back : Told::committed);
    } catch (const Error& error) {
      const bool closed = error.code() == "lab.connection_closed";
      ++(!closed ? failed_otherwise_ : in_use ? closed_under_use_ : handed_out_closed_);
    }
    if (keeping_ != ConnectionKeeping::never_closed) static_connection_.close();
  }

 private:
  void count_connections(Tally& tally) const override {
    tally.opened += static_connection_.opened();
    tally.opened_twice += static_connection_.opened_beside_another();
  }

  const ConnectionKeeping keeping_;
  std::unique_ptr<Driver> driver_;
  StaticConnection static_connection_;
};

class BoundService final : public Service {
 public:
  BoundService(const ConnectionOptions& options, Tally& tally, std::size_t requests,
               const Database& database)
      : Service(options, tally, requests),
        driver_(database.driver()),
        pool_({.name = "vouchers"}, *driver_),
        session_({.routes = {{.name = "vouchers", .pool = &pool_}}}) {}

  void serve(const Request& request) override {
    try {
      boundary_.run({.name = "POST /vouchers"}, [&] {
        session_.transaction([&] {
          session_.execute(kInsertRow, request.number, 1);
          pause();
          session_.execute(kInsertRow, request.number, 2);
          if (request.rolls_back) session_.set_rollback_only();
        });
      });
      tell(request, request.rolls_back ? Told::rolled_back : Told::committed);
    } catch (const Error&) {
      ++failed_otherwise_;
    }
  }

 private:
  // A pool's connections are meant to be several, as many as it may have.
  void count_connections(Tally& tally) const override {
    const auto created = static_cast<std::int64_t>(pool_.stats().created);
    const auto meant = static_cast<std::int64_t>(pool_.traits().pool_size_default);
    tally.opened += created;
    tally.opened_twice += std::max<std::int64_t>(0, created - meant);
  }

  std::unique_ptr<Driver> driver_;
  Pool pool_;
  Session session_;
  Boundary boundary_;
};

struct Trial {
  ConnectionKeeping keeping;
  Tally tally;
  Series wrong_over_time;
};

Trial run_trial(ConnectionKeeping keeping, const ConnectionOptions& options,
                const Context& context) {
  context.progress(fmt::format("{} requests, connection {}", options.requests, describe(keeping)));
  Trial trial{keeping, {}, {std::string(describe(keeping)), {{0, 0}}}};
  PlainPool pool(options.threads);
  const std::size_t part = options.requests / options.starts;
  for (std::size_t start = 0; start < options.starts; ++start) {
    const Database database(context.postgres);
    const auto observer = database.several_writers()->connect({});
    observer->execute(kCreateTable, {});
    std::unique_ptr<Service> service;
    if (keeping == ConnectionKeeping::bound)
      service = std::make_unique<BoundService>(options, trial.tally, part, database);
    else
      service = std::make_unique<StaticService>(options, trial.tally, part, database, keeping);
    for (std::size_t i = 0; i < part; ++i) {
      RandomDraws draw(context.seed, static_cast<std::int64_t>(start * part + i));
      pool.post([&service, request = Request{static_cast<std::int64_t>(i),
                                             draw.chance(options.rollback_share)}] {
        service->serve(request);
      });
    }
    pool.wait_until_idle();
    service->end(*observer);
    trial.wrong_over_time.points.push_back(
        {static_cast<double>(trial.tally.requests), static_cast<double>(trial.tally.gone_wrong())});
  }
  return trial;
}

Table table_of(const std::vector<Trial>& trials) {
  Table table{.title = "What became of the requests, and of their rows",
              .columns = {{"connection"},
                          {"requests"},
                          {"opened"},
                          {"opened twice"},
                          {"closed under use"},
                          {"handed out closed"},
                          {"other errors"},
                          {"committed, gone"},
                          {"undone, there"}},
              .rows = {}};
  for (const auto& [keeping, tally, series] : trials)
    table.rows.push_back({std::string(describe(keeping)), tally.requests, tally.opened,
                          tally.opened_twice, tally.closed_under_use, tally.handed_out_closed,
                          tally.failed_otherwise, tally.committed_and_gone,
                          tally.undone_and_there});
  return table;
}

}  // namespace

Report run_connection(const ConnectionOptions& options, const Context& context) {
  std::vector<Trial> trials;
  for (const auto keeping :
       {ConnectionKeeping::closed_after_use, ConnectionKeeping::forgotten_closed,
        ConnectionKeeping::never_closed, options.remedy})
    trials.push_back(run_trial(keeping, options, context));

  Report report{.name = "connection",
                .claim =
                    "one connection for all is opened twice, closed under use, handed out closed, "
                    "and mixes up transactions; bound to the transaction it does none of it"};
  report.tables.push_back(table_of(trials));
  Chart chart{.file_name = "connection-gone-wrong",
              .title = "Requests that failed, or whose rows are not as they were told",
              .x = {"requests served", ""},
              .y = {"requests gone wrong", ""},
              .series = {}};
  for (const Trial& trial : trials) chart.series.push_back(trial.wrong_over_time);
  report.charts.push_back(std::move(chart));

  const auto shown = [&](std::string what, std::int64_t Tally::* kind) {
    std::int64_t times = 0;
    for (std::size_t i = 0; i + 1 < trials.size(); ++i) times += trials[i].tally.*kind;
    report.findings.push_back(
        {std::move(what), static_cast<double>(times), Relation::more_than, 0});
  };
  shown("static connection opened twice", &Tally::opened_twice);
  shown("static connection closed under use", &Tally::closed_under_use);
  shown("static connection handed out closed", &Tally::handed_out_closed);
  shown("requests told committed, rows gone", &Tally::committed_and_gone);
  shown("requests rolled back or failed, rows there", &Tally::undone_and_there);
  const Tally& remedied = trials.back().tally;
  report.findings.push_back({"requests gone wrong, bound connection",
                             static_cast<double>(remedied.gone_wrong()), Relation::exactly, 0});
  report.findings.push_back({"connections opened beyond the pool's size, bound connection",
                             static_cast<double>(remedied.opened_twice), Relation::exactly, 0});
  report.notes.push_back(
      fmt::format("seed {}; {}", context.seed, Database::name_of(context.postgres)));
  return report;
}

}  // namespace carrel::lab
