#include "lab/utilisation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/scope/boundary.h"
#include "carrel/session/session.h"
#include "lab/closed_loop.h"
#include "lab/database.h"

namespace carrel::lab {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr double kIdleOfBorrowedMax = 0.3;
constexpr int kStatements = 2;  // of a request

std::string_view describe(ConnectionUse use) {
  switch (use) {
    case ConnectionUse::connect_each:
      return "connected for each request";
    case ConnectionUse::bound_to_thread:
      return "bound to the thread";
    case ConnectionUse::held_for_request:
      return "held for the whole request";
    case ConnectionUse::borrowed_while_used:
      return "borrowed while used";
  }
  return "?";
}

// Takes options.statement: where a server answers it sleeps there, else the connection does.
std::string statement_for(const Database& database, const UtilisationOptions& options) {
  if (!database.has_server()) return "select balance from account where id = $1";
  return fmt::format("select balance from account, pg_sleep({}) where id = $1",
                     std::chrono::duration<double>(options.statement).count());
}

// The database's side of the experiment.
struct Backend {
  Backend(const Database& database, const UtilisationOptions& options)
      : driver(database.several_writers(options.statement)),
        statement(statement_for(database, options)) {}

  const std::unique_ptr<Driver> driver;
  const std::string statement;
};

// One way to use connections. What else a request does is the same for all.
class Service {
 public:
  Service(const UtilisationOptions& options, const Backend& backend)
      : options_(options), backend_(backend) {}
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  virtual ~Service() = default;

  virtual void serve(std::size_t thread) = 0;
  virtual void end_thread(std::size_t) {}
  // For each connection the share of its time on loan in which it ran no SQL; asked at the end.
  [[nodiscard]] virtual std::vector<double> idle_shares() const = 0;

 protected:
  void request_on(Connection& connection) const {
    for (int i = 0; i < kStatements; ++i) {
      static_cast<void>(connection.execute(backend_.statement, std::array{Value(1)}));
      wait_for_something_else();
    }
  }
  void wait_for_something_else() const { std::this_thread::sleep_for(options_.elsewhere); }

  const UtilisationOptions& options_;
  const Backend& backend_;
};

class ConnectingService final : public Service {
 public:
  ConnectingService(const UtilisationOptions& options, const Backend& backend)
      : Service(options, backend), free_places_(static_cast<std::ptrdiff_t>(options.connections)) {}

  void serve(std::size_t) override {
    // The server takes no more connections than that; who comes later waits outside.
    if (!free_places_.try_acquire_for(options_.patience))
      throw Error("lab.too_many_connections", "the server takes no more connections");
    const Place place(free_places_);
    const auto connection = backend_.driver->connect({});
    const auto connected = SteadyClock::now();
    connection->start_measuring();
    request_on(*connection);
    busy_ns_ += connection->stop_measuring().count();
    held_ns_ += std::chrono::nanoseconds(SteadyClock::now() - connected).count();
  }

  [[nodiscard]] std::vector<double> idle_shares() const override {
    return {1 - static_cast<double>(busy_ns_) /
                    static_cast<double>(std::max<std::int64_t>(held_ns_, 1))};
  }

 private:
  // Among the connections of the server; free again when the request ends.
  class Place {
   public:
    explicit Place(std::counting_semaphore<>& places) : places_(places) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { places_.release(); }

   private:
    std::counting_semaphore<>& places_;
  };

  std::counting_semaphore<> free_places_;
  std::atomic<std::int64_t> busy_ns_{0};
  std::atomic<std::int64_t> held_ns_{0};
};

class PooledService : public Service {
 public:
  PooledService(const UtilisationOptions& options, const Backend& backend)
      : Service(options, backend),
        pool_(
            {.name = "accounts", .size_max = options.connections, .size_min = options.connections},
            *backend.driver) {}

  // Those of the connections that were used: of the others the pool has no sample.
  [[nodiscard]] std::vector<double> idle_shares() const override {
    std::vector<double> idle;
    for (const double used : pool_.stats().utilisation)
      if (used > 0) idle.push_back(1 - used);
    return idle;
  }

 protected:
  Pool::Lease borrow() {
    return pool_.borrow({.deadline = SteadyClock::now() + options_.patience});
  }

  Pool pool_;
};

class ThreadBoundService final : public PooledService {
 public:
  ThreadBoundService(const UtilisationOptions& options, const Backend& backend, std::size_t threads)
      : PooledService(options, backend), of_thread_(threads) {}

  void serve(std::size_t thread) override {
    Pool::Lease& connection = of_thread_[thread];
    if (!connection) connection = borrow();
    request_on(*connection);
  }
  void end_thread(std::size_t thread) override { of_thread_[thread].release(); }

 private:
  std::vector<Pool::Lease> of_thread_;
};

class HoldingService final : public PooledService {
 public:
  using PooledService::PooledService;
  void serve(std::size_t) override { request_on(*borrow()); }
};

class BorrowingService final : public PooledService {
 public:
  BorrowingService(const UtilisationOptions& options, const Backend& backend)
      : PooledService(options, backend),
        session_({.routes = {{.name = "accounts", .pool = &pool_}}}) {}

  void serve(std::size_t) override {
    const auto time = kStatements * (options_.statement + options_.elsewhere) + options_.patience;
    boundary_.run({.name = "GET /balance", .deadline = SteadyClock::now() + time}, [&] {
      for (int i = 0; i < kStatements; ++i) {
        static_cast<void>(session_.execute(backend_.statement, 1));
        wait_for_something_else();
      }
    });
  }

 private:
  Session session_;
  Boundary boundary_;
};

std::unique_ptr<Service> make_service(ConnectionUse use, const UtilisationOptions& options,
                                      const Backend& backend, std::size_t threads) {
  switch (use) {
    case ConnectionUse::connect_each:
      return std::make_unique<ConnectingService>(options, backend);
    case ConnectionUse::bound_to_thread:
      return std::make_unique<ThreadBoundService>(options, backend, threads);
    case ConnectionUse::held_for_request:
      return std::make_unique<HoldingService>(options, backend);
    case ConnectionUse::borrowed_while_used:
      break;
  }
  return std::make_unique<BorrowingService>(options, backend);
}

struct Trial {
  ConnectionUse use;
  Series rate_by_threads;
  LoopResult busiest = {};  // with the most threads
  std::vector<double> idle_shares = {};

  [[nodiscard]] double idle_share() const {
    return std::accumulate(idle_shares.begin(), idle_shares.end(), 0.0) /
           static_cast<double>(std::max<std::size_t>(idle_shares.size(), 1));
  }
};

Trial run_trial(ConnectionUse use, const UtilisationOptions& options, const Backend& backend,
                const Context& context) {
  Trial trial{.use = use, .rate_by_threads = {std::string(describe(use)), {}}};
  for (const std::size_t threads : options.threads) {
    context.progress(fmt::format("{} threads, connection {}", threads, describe(use)));
    const auto service = make_service(use, options, backend, threads);
    trial.busiest = run_closed_loop(
        threads, options.stretch, [&](std::size_t thread) { service->serve(thread); },
        [&](std::size_t thread) { service->end_thread(thread); });
    trial.idle_shares = service->idle_shares();
    trial.rate_by_threads.points.push_back(
        {static_cast<double>(threads), trial.busiest.per_second()});
  }
  return trial;
}

void add_tables(const std::array<Trial, 4>& trials, const UtilisationOptions& options,
                Report& report) {
  Table table{.title = fmt::format("{} threads, {} connections", options.threads.back(),
                                   options.connections),
              .columns = {{"connection"},
                          {"requests", "1/s"},
                          {"failed requests"},
                          {"threads never served"},
                          {"idle while on loan", "%"}},
              .rows = {}};
  Table idle{
      .title = "Idle while on loan, each connection (%)", .columns = {{"connection"}}, .rows = {}};
  for (std::size_t i = 1; i <= options.connections; ++i)
    idle.columns.push_back({fmt::format("no. {}", i)});
  for (const Trial& trial : trials) {
    table.rows.push_back({std::string(describe(trial.use)), trial.busiest.per_second(),
                          trial.busiest.failed_in_all(), trial.busiest.threads_never_served(),
                          100 * trial.idle_share()});
    if (trial.idle_shares.size() != options.connections) continue;  // none that lives on
    std::vector<Cell> row{std::string(describe(trial.use))};
    for (const double share : trial.idle_shares) row.emplace_back(100 * share);
    idle.rows.push_back(std::move(row));
  }
  report.tables = {std::move(table), std::move(idle)};
}

}  // namespace

Report run_utilisation(const UtilisationOptions& options, const Context& context) {
  const Database database(context.postgres);
  {
    const auto connection = database.several_writers()->connect({});
    connection->execute("create table account (id integer primary key, balance integer)", {});
    connection->execute("insert into account values (1, 100)", {});
  }
  const Backend backend(database, options);
  const std::array trials{run_trial(ConnectionUse::connect_each, options, backend, context),
                          run_trial(ConnectionUse::bound_to_thread, options, backend, context),
                          run_trial(ConnectionUse::held_for_request, options, backend, context),
                          run_trial(options.remedy, options, backend, context)};
  const auto& [connecting, thread_bound, held, remedied] = trials;

  Report report{.name = "utilisation",
                .claim =
                    "a connection that is borrowed only while it is used serves at least three "
                    "times the requests of one that is held for the whole of them, and nobody "
                    "starves"};
  add_tables(trials, options, report);
  Chart chart{.file_name = "utilisation-throughput",
              .title = fmt::format("Requests a second on {} connections", options.connections),
              .x = {"threads", ""},
              .y = {"requests", "1/s"},
              .series = {}};
  for (const Trial& trial : trials) chart.series.push_back(trial.rate_by_threads);
  report.charts.push_back(std::move(chart));

  const double rate = remedied.busiest.per_second();
  const auto starved = [](const Trial& trial) {
    return static_cast<double>(trial.busiest.threads_never_served());
  };
  report.findings = {
      {"requests a second, borrowed while used over held", rate / held.busiest.per_second(),
       Relation::at_least, options.gain_min},
      {"requests a second, borrowed while used over connected for each",
       rate / connecting.busiest.per_second(), Relation::at_least, options.gain_min},
      {"threads never served, bound to the thread", starved(thread_bound), Relation::more_than, 0},
      {"threads never served, borrowed while used", starved(remedied), Relation::exactly, 0},
      {"idle while on loan, held for the whole request", 100 * held.idle_share(),
       Relation::at_least, 100 * options.idle_held_min, "%"},
      {"idle while on loan, borrowed while used", 100 * remedied.idle_share(), Relation::below,
       100 * kIdleOfBorrowedMax, "%"},
  };
  report.notes.emplace_back(Database::name_of(context.postgres));
  return report;
}

}  // namespace carrel::lab
