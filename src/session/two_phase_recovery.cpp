// Session::recover: finishes what was left prepared.
#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/later.h"
#include "carrel/db/sql_error.h"
#include "db/wait_for_replicas.h"
#include "session/session_core.h"
#include "session/two_phase.h"

namespace carrel {
namespace session {
namespace {

class Recoverer {
 public:
  Recoverer(const TwoPhase& how, std::span<const Destination> destinations, Clock::Steady until,
            Pause pause)
      : how_(how), destinations_(destinations), until_(until), pause_(std::move(pause)) {
    std::set<const Pool*> seen;
    for (const auto& destination : destinations_) {
      auto& pool = *destination.route.pool;
      if (pool.traits().name != "postgres") continue;  // can have prepared nothing
      if (seen.insert(&pool).second) databases_.push_back({destination, {}, {}});
    }
  }

  Recovery run() {
    // The log first: what has been decided by then was prepared before, and is either listed after
    // it or finished.
    auto left = 2 * databases_.size() + 1;
    for (auto& database : databases_)
      reach(database, turn(left--), [&](Connection& c) { read_log(database, c); });
    for (auto& database : databases_)
      reach(database, turn(left--), [&](Connection& c) { list(database, c); });
    for (const auto& database : databases_) left += database.prepared.size();
    for (const auto& database : databases_) {
      for (const auto& prepared : database.prepared) settle(database, prepared, turn(left--));
    }
    forget_decided();
    return std::move(found_);
  }

 private:
  struct Database {
    const Destination& destination;
    std::vector<std::string> decided;
    std::vector<std::string> prepared;
  };

  // As much time for each that is left, so that one that does not answer keeps none of the others
  // from being finished, now and at every other call.
  [[nodiscard]] Clock::Steady turn(std::size_t left) const {
    const auto now = Clock::Steady::clock::now();
    return now >= until_ ? until_ : now + (until_ - now) / static_cast<std::int64_t>(left);
  }

  [[nodiscard]] bool unreachable(const Pool* pool) const {
    return std::ranges::any_of(databases_, [&](const Database& database) {
      return database.destination.route.pool == pool &&
             std::ranges::count(found_.unreachable, database.destination.route.name) > 0;
    });
  }

  // A connection that has lain idle since before its server died says nothing of the server. Each
  // that is found dead is closed, and the last one is new.
  [[nodiscard]] static Pool::Lease lend(Pool& pool, Clock::Steady until) {
    for (;;) {
      auto lease = pool.borrow({.deadline = until});
      lease->set_deadline(until);
      if (lease->validate() || Clock::Steady::clock::now() >= until) return lease;
    }
  }

  template <class F>
  void reach(const Database& database, Clock::Steady until, const F& ask) {
    const auto& name = database.destination.route.name;
    if (std::ranges::count(found_.unreachable, name) > 0) return;
    try {
      ask(*lend(*database.destination.route.pool, until));
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

  void settle(const Database& database, const std::string& prepared, Clock::Steady until) {
    if (unreachable(database.destination.route.pool)) return found_.in_doubt.push_back(prepared);
    const auto decision = decide(prepared, until);
    if (!decision) return found_.in_doubt.push_back(prepared);
    bool was_there = false;
    const bool done = persist(pause_, until, [&] {
      auto lease = database.destination.route.pool->borrow({.deadline = until});
      lease->set_deadline(until);
      was_there = lease->finish_prepared(prepared, *decision);  // else another was faster
    });
    if (!done) return found_.in_doubt.push_back(prepared);
    if (was_there) ++(*decision == Prepared::commit ? found_.committed : found_.rolled_back);
  }

  [[nodiscard]] std::optional<Prepared> decide(const std::string& prepared,
                                               Clock::Steady until) const {
    const auto name = TogetherName::of_prepared(how_, prepared);
    if (!name) return std::nullopt;
    const auto decider = std::ranges::find(
        destinations_, name->route, [](const Destination& d) -> auto& { return d.route.name; });
    if (decider == destinations_.end() || unreachable(decider->route.pool)) return std::nullopt;
    return decision_of(how_, *decider->route.pool, name->whole, until, pause_);
  }

  // "name/route of the decider/random", and not one of the lines behind it that name another route.
  [[nodiscard]] static bool is_decision(std::string_view line) noexcept {
    return std::ranges::count(line, '/') == 2;
  }

  // Whether this session sees every database that may hold a part of it: one that was told of fewer
  // routes must not forget what it cannot judge.
  [[nodiscard]] bool sees_all_of(const Database& database, const std::string& decision) const {
    return std::ranges::all_of(database.decided, [&](const std::string& line) {
      if (is_decision(line) || !line.starts_with(decision + "/")) return true;
      const auto route = std::string_view(line).substr(decision.size() + 1);
      return std::ranges::any_of(destinations_,
                                 [&](const Destination& d) { return d.route.name == route; });
    });
  }

  // Another database may hold a part of anything in the log; and a replica may come to stand for
  // one, with whatever it has by then.
  void forget_decided() {
    const bool none = std::ranges::all_of(
        databases_, [](const Database& database) { return database.decided.empty(); });
    if (none || !found_.in_doubt.empty()) return;
    auto left = 2 * databases_.size();
    for (const auto& database : databases_) reach(database, turn(left--), db::wait_for_replicas);
    if (!found_.unreachable.empty()) return;
    for (const auto& database : databases_)
      reach(database, turn(left--), [&](Connection& c) { forget(database, c); });
  }

  void forget(const Database& database, Connection& connection) {
    for (const auto& decision : database.decided) {
      if (!is_decision(decision) || !sees_all_of(database, decision)) continue;
      const std::array parameters = {Value(std::string_view(decision))};
      const auto gone = connection.execute(
          "delete from " + how_.log_table + " where name = $1 or starts_with(name, $1 || '/')",
          parameters);
      if (gone.affected_rows() > 0) ++found_.forgotten;
    }
  }

  const TwoPhase& how_;
  const std::span<const Destination> destinations_;
  const Clock::Steady until_;
  const Pause pause_;
  std::vector<Database> databases_;
  Recovery found_;
};

}  // namespace
}  // namespace session

Recovery Session::Core::recover(std::chrono::milliseconds wait_max) {
  if (!options_.two_phase) throw Error("no_two_phase", "the session was not told how");
  const auto until = base::from_now(wait_max);
  return session::Recoverer(*options_.two_phase, router_.destinations(), until, pause_within())
      .run();
}

}  // namespace carrel
