#include "lab/tenants.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"
#include "lab/plain_pool.h"
#include "lab/random_draws.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

constexpr std::size_t kStretches = 20;  // points of the chart
constexpr std::size_t kSwitchesInside = 1'000;
constexpr int kRowsOfRequest = 4;
constexpr std::string_view kTenants[] = {"acme", "globex", "initech"};
constexpr std::string_view kArchive = "archive";
constexpr std::string_view kAuditLog = "audit";
constexpr std::string_view kDatabases[] = {"acme", "globex", "initech", kArchive, kAuditLog};
constexpr std::string_view kInsert = "insert into document (request, owner) values ($1, $2)";

std::string_view describe(TenantSwitch way) {
  return way == TenantSwitch::by_hand ? "set, and set back by hand" : "bound for the call";
}

struct Mishap : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class CutShort { no, by_return, by_exception };

struct Request {
  std::int64_t number;
  std::string_view tenant;
  CutShort archive;  // where the filing ends early
  CutShort audit;
};

// The n-th request of a seed is always the same.
Request make_request(std::int64_t number, std::uint64_t seed, double cut_short_share) {
  RandomDraws draw(seed, number);
  Request request{number, kTenants[static_cast<std::size_t>(draw.share() * std::size(kTenants))],
                  CutShort::no, CutShort::no};
  if (!draw.chance(cut_short_share)) return request;
  CutShort& place = draw.chance(0.5) ? request.archive : request.audit;
  place = draw.chance(0.5) ? CutShort::by_return : CutShort::by_exception;
  return request;
}

// A database for each tenant, for the archive and for the audit log.
class Databases {
 public:
  explicit Databases(const std::filesystem::path& folder) {
    for (const std::string_view name : kDatabases) {
      drivers_.push_back(sqlite_driver({.file = folder / (std::string(name) + ".db"),
                                        .synchronous = SqliteSync::off}));  // thrown away
      pools_.push_back(
          std::make_unique<Pool>(PoolOptions{.name = std::string(name)}, *drivers_.back()));
      pools_.back()->borrow()->execute("create table document (request integer, owner text)", {});
    }
  }

  [[nodiscard]] std::vector<Route> routes() const {
    std::vector<Route> routes;
    for (const auto& pool : pools_) routes.push_back({.name = pool->name(), .pool = pool.get()});
    return routes;
  }

  [[nodiscard]] std::int64_t rows() const {
    return count([](const std::string&) { return "owner is not null"; });
  }
  [[nodiscard]] std::int64_t wrong_rows() const {
    return count([](const std::string& database) { return "owner <> '" + database + "'"; });
  }

 private:
  [[nodiscard]] std::int64_t count(
      const std::function<std::string(const std::string&)>& condition) const {
    std::int64_t rows = 0;
    for (const auto& pool : pools_)
      rows += pool->borrow({.access = Access::read_only})
                  ->execute("select count(*) from document where " + condition(pool->name()), {})
                  .one()
                  .get<std::int64_t>(0);
    return rows;
  }

  std::vector<std::unique_ptr<Driver>> drivers_;
  std::vector<std::unique_ptr<Pool>> pools_;
};

class Service {
 public:
  Service(const Databases& databases, TenantSwitch way)
      : way_(way),
        session_(
            {.routes = databases.routes(), .marker = [this]() -> std::optional<std::string_view> {
               const std::string_view* const tenant = tenant_.find();
               return tenant != nullptr ? std::optional(*tenant) : std::nullopt;
             }}) {}

  void serve(const Request& request) {
    in_scope_of(request, [&] {
      write(request, request.tenant);
      try {
        file_in_archive(request);
      } catch (const Mishap&) {
        ++mishaps_;  // a request survives that its copy was not filed
      }
      write(request, request.tenant);
    });
  }

  // A request that switches in the middle of a transaction. Returns whether it was stopped.
  bool serve_switching_inside(const Request& request) {
    try {
      in_scope_of(request, [&] {
        session_.transaction([&] {
          write(request, request.tenant);
          const auto switched = tenant_.bind(kArchive);
          write(request, kArchive);
        });
      });
      return false;
    } catch (const Error& error) {
      return error.code() == "route_changed";
    }
  }

  // The same, and says that it wants another transaction there.
  void serve_with_a_second_transaction(const Request& request) {
    in_scope_of(request, [&] {
      session_.transaction([&] {
        write(request, request.tenant);
        const auto switched = tenant_.bind(kArchive);
        session_.transaction({.propagation = Propagation::requires_new},
                             [&] { write(request, kArchive); });
      });
    });
  }

  [[nodiscard]] std::int64_t mishaps() const { return mishaps_; }

 private:
  void in_scope_of(const Request& request, const std::function<void()>& handle) {
    boundary_.run({.name = "POST /documents"}, [&] {
      const auto bound = tenant_.bind(request.tenant);
      handle();
    });
  }

  void write(const Request& request, std::string_view owner) {
    session_.execute(kInsert, request.number, owner);
  }

  void file_in_archive(const Request& request) {
    in_database(kArchive, request.archive, [&] {
      write(request, kArchive);
      in_database(kAuditLog, request.audit, [&] { write(request, kAuditLog); });
    });
  }

  // Does the work in another database, and ends as the request has it.
  void in_database(std::string_view database, CutShort end, const std::function<void()>& work) {
    if (way_ == TenantSwitch::nested) {
      const auto switched = tenant_.bind(database);
      work();
      if (end == CutShort::by_exception) throw Mishap("the copy was not filed");
      return;
    }
    const std::string_view before = tenant_.get();
    tenant_.set(database);
    work();
    if (end == CutShort::by_return) return;
    if (end == CutShort::by_exception) throw Mishap("the copy was not filed");
    tenant_.set(before);
  }

  const TenantSwitch way_;
  RequestLocal<std::string_view> tenant_{"tenant"};  // names of kDatabases
  Session session_;
  Boundary boundary_;
  std::atomic<std::int64_t> mishaps_{0};
};

struct Trial {
  TenantSwitch way;
  std::int64_t requests = 0;
  std::int64_t cut_short = 0;
  std::int64_t rows = 0;
  std::int64_t wrong = 0;
  std::int64_t stopped = 0;           // of those that switched inside a transaction
  std::int64_t rows_of_switches = 0;  // of those and of those that said so
  std::int64_t wrong_of_switches = 0;
  Series wrong_over_time = {};
};

void switch_inside_transactions(Service& service, PlainPool& pool, Trial& trial) {
  std::atomic<std::int64_t> stopped = 0;
  for (std::size_t i = 0; i < kSwitchesInside; ++i)
    pool.post([&, number = trial.requests + static_cast<std::int64_t>(i)] {
      const Request request{number, kTenants[0], CutShort::no, CutShort::no};
      stopped += service.serve_switching_inside(request) ? 1 : 0;
      service.serve_with_a_second_transaction(request);
    });
  pool.wait_until_idle();
  trial.stopped = stopped;
}

Trial run_trial(TenantSwitch way, const TenantsOptions& options, const Context& context) {
  context.progress(fmt::format("{} requests, tenant {}", options.requests, describe(way)));
  const TemporaryFolder folder;
  const Databases databases(folder.path());
  Service service(databases, way);
  PlainPool pool(options.threads);
  Trial trial{.way = way, .wrong_over_time = {std::string(describe(way)), {{0, 0}}}};
  for (std::size_t stretch = 1; stretch <= kStretches; ++stretch) {
    const auto end = static_cast<std::int64_t>(options.requests * stretch / kStretches);
    for (std::int64_t& number = trial.requests; number < end; ++number) {
      const Request request = make_request(number, context.seed, options.cut_short_share);
      const bool whole = request.archive == CutShort::no && request.audit == CutShort::no;
      trial.cut_short += whole ? 0 : 1;
      pool.post([&service, request] { service.serve(request); });
    }
    pool.wait_until_idle();
    trial.wrong = databases.wrong_rows();
    trial.wrong_over_time.points.push_back(
        {static_cast<double>(trial.requests) / 1000, static_cast<double>(trial.wrong)});
  }
  trial.rows = databases.rows();
  switch_inside_transactions(service, pool, trial);
  trial.rows_of_switches = databases.rows() - trial.rows;
  trial.wrong_of_switches = databases.wrong_rows() - trial.wrong;
  return trial;
}

Table table_of(const std::array<Trial, 2>& trials) {
  Table table{.title = "Rows in the databases of all tenants, the archive and the audit log",
              .columns = {{"tenant"},
                          {"requests"},
                          {"cut short"},
                          {"rows"},
                          {"in the wrong database"},
                          {"of 1000 switches inside a transaction, stopped"}},
              .rows = {}};
  for (const Trial& trial : trials)
    table.rows.push_back({std::string(describe(trial.way)), trial.requests, trial.cut_short,
                          trial.rows, trial.wrong, trial.stopped});
  return table;
}

}  // namespace

Report run_tenants(const TenantsOptions& options, const Context& context) {
  const std::array trials{run_trial(TenantSwitch::by_hand, options, context),
                          run_trial(options.remedy, options, context)};
  const auto& [by_hand, remedied] = trials;

  Report report{.name = "tenants",
                .claim =
                    "a tenant that is switched by hand stays switched after an early return or an "
                    "exception, and the next rows are another's; one that is bound never does"};
  report.tables.push_back(table_of(trials));
  report.charts.push_back({.file_name = "tenants-wrong-rows",
                           .title = "Rows in the wrong tenant's database",
                           .x = {"requests served", "thousands"},
                           .y = {"wrong rows", ""},
                           .series = {by_hand.wrong_over_time, remedied.wrong_over_time}});
  const auto add = [&](std::string what, std::int64_t measured, Relation relation,
                       std::int64_t needed) {
    report.findings.push_back(
        {std::move(what), static_cast<double>(measured), relation, static_cast<double>(needed)});
  };
  constexpr auto kSwitches = static_cast<std::int64_t>(kSwitchesInside);
  add("wrong rows, switched by hand", by_hand.wrong, Relation::more_than, 0);
  add("wrong rows, bound for the call", remedied.wrong, Relation::exactly, 0);
  add("rows written, bound for the call", remedied.rows, Relation::exactly,
      kRowsOfRequest * remedied.requests);
  add("switches inside a transaction stopped", remedied.stopped, Relation::exactly, kSwitches);
  add("rows of those, and of as many with a second transaction", remedied.rows_of_switches,
      Relation::exactly, 2 * kSwitches);
  add("of these in the wrong database", remedied.wrong_of_switches, Relation::exactly, 0);
  report.notes.push_back(fmt::format("seed {}", context.seed));
  return report;
}

}  // namespace carrel::lab
