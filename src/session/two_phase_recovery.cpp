// Session::recover: finishes what was left prepared.
#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "carrel/db/sql_error.h"
#include "session/session_core.h"
#include "session/two_phase.h"

namespace carrel {
namespace session {
namespace {

class Recoverer {
 public:
  Recoverer(const TwoPhase& how, std::span<const Destination> destinations, Clock::Steady until)
      : how_(how), destinations_(destinations), until_(until) {
    std::set<const Pool*> seen;
    for (const auto& destination : destinations_) {
      if (seen.insert(destination.route.pool).second) databases_.push_back({destination, {}, {}});
    }
  }

  Recovery run() {
    // The log first: what has been decided by then was prepared before, and is either listed after
    // it or finished.
    for (auto& database : databases_)
      reach(database, [&](Connection& c) { read_log(database, c); });
    for (auto& database : databases_) reach(database, [&](Connection& c) { list(database, c); });
    for (const auto& database : databases_) {
      for (const auto& prepared : database.prepared) settle(database, prepared);
    }
    // Another database may hold a part of anything in the log.
    if (found_.unreachable.empty() && found_.in_doubt.empty()) {
      for (auto& database : databases_)
        reach(database, [&](Connection& c) { forget(database, c); });
    }
    return std::move(found_);
  }

 private:
  struct Database {
    const Destination& destination;
    std::vector<std::string> decided;
    std::vector<std::string> prepared;
  };

  template <class F>
  void reach(const Database& database, const F& ask) {
    const auto& name = database.destination.route.name;
    if (std::ranges::count(found_.unreachable, name) > 0) return;
    try {
      auto lease = database.destination.route.pool->borrow({.deadline = until_});
      lease->set_deadline(until_);
      ask(*lease);
    } catch (const SqlError&) {
      found_.unreachable.push_back(name);
    } catch (const Error& error) {
      if (error.code() != "pool.timeout") throw;
      found_.unreachable.push_back(name);
    }
  }

  [[nodiscard]] std::vector<std::string> names(Connection& connection, const std::string& sql) {
    const std::string prefix = how_.name + "/";
    const std::array parameters = {Value(std::string_view(prefix))};
    std::vector<std::string> all;
    const auto rows = connection.execute(sql, parameters);
    for (const Row row : rows) all.push_back(row.get<std::string>(0));
    return all;
  }

  void read_log(Database& database, Connection& connection) {
    const auto kept = connection.execute("select current_setting('max_prepared_transactions')");
    if (kept.one().get<std::string>(0) == "0") {
      throw Error("two_phase_disabled",
                  "the server of route '" + database.destination.route.name +
                      "' keeps no prepared transactions: set max_prepared_transactions to at least "
                      "as many as there are connections, and restart it");
    }
    database.decided =
        names(connection, "select name from " + how_.log_table + " where starts_with(name, $1)");
  }

  void list(Database& database, Connection& connection) {
    database.prepared = names(connection,
                              "select gid from pg_prepared_xacts where starts_with(gid, $1) and "
                              "database = current_database() order by prepared");
  }

  void settle(const Database& database, const std::string& prepared) {
    const auto decision = decide(prepared);
    if (!decision) return found_.in_doubt.push_back(prepared);
    try {
      auto lease = database.destination.route.pool->borrow({.deadline = until_});
      lease->set_deadline(until_);
      if (!lease->finish_prepared(prepared, *decision)) return;  // another was faster
      ++(*decision == Prepared::commit ? found_.committed : found_.rolled_back);
    } catch (const Error&) {
      found_.in_doubt.push_back(prepared);
    }
  }

  [[nodiscard]] std::optional<Prepared> decide(const std::string& prepared) const {
    const auto name = TogetherName::of_prepared(how_, prepared);
    if (!name) return std::nullopt;
    const auto decider = std::ranges::find(
        destinations_, name->route, [](const Destination& d) -> auto& { return d.route.name; });
    if (decider == destinations_.end()) return std::nullopt;
    return decision_of(how_, *decider->route.pool, name->whole, until_);
  }

  void forget(const Database& database, Connection& connection) {
    for (const auto& name : database.decided) {
      const std::array parameters = {Value(std::string_view(name))};
      const auto gone =
          connection.execute("delete from " + how_.log_table + " where name = $1", parameters);
      found_.forgotten += static_cast<std::size_t>(gone.affected_rows());
    }
  }

  const TwoPhase& how_;
  const std::span<const Destination> destinations_;
  const Clock::Steady until_;
  std::vector<Database> databases_;
  Recovery found_;
};

}  // namespace
}  // namespace session

Recovery Session::Core::recover(std::chrono::milliseconds wait_max) {
  if (!options_.two_phase) throw Error("no_two_phase", "the session was not told how");
  const auto until = Clock::Steady::clock::now() + wait_max;
  return session::Recoverer(*options_.two_phase, router_.destinations(), until).run();
}

}  // namespace carrel
