#include "drivers/postgres/postgres_doubt.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include "carrel/db/sql_error.h"
#include "db/wait_for_replicas.h"

namespace carrel::postgres {
namespace {

constexpr std::chrono::milliseconds kFirstPause{5};
constexpr std::chrono::milliseconds kPauseMax{200};

// The first eight digits of a log file's name are the timeline.
constexpr std::string_view kRun = R"(
  select case when pg_is_in_recovery() then '' else
    (select system_identifier from pg_control_system())
    || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
    || '/' || coalesce((select stats_reset from pg_stat_bgwriter)::text, '') end)";

// Nothing while the transaction is in progress: its server process may not have noticed yet.
std::optional<Fate> ask(Connection& connection, const std::string& number, const std::string& run) {
  if (run_of(connection) != run) return Fate::unknown;
  const auto status = connection
                          .execute("select txid_status($1::text::bigint)",
                                   std::array{Value(std::string_view(number))})
                          .one()
                          .get<std::optional<std::string>>(0);
  if (status == "committed") {
    db::wait_for_replicas(connection);
    return Fate::committed;
  }
  if (status == "aborted") return Fate::rolled_back;
  if (status == "in progress") return std::nullopt;
  return Fate::unknown;  // too long ago
}

}  // namespace

std::string run_of(Connection& connection) {
  return connection.execute(kRun).one().get<std::string>(0);
}

Askers::Turn::Turn(Askers& askers, Clock::Steady until) : askers_(askers) {
  std::unique_lock lock(askers_.mutex_);
  held_ = askers_.left_.wait_until(lock, until, [this] { return askers_.asking_ < kMax; });
  if (held_) ++askers_.asking_;
}

Askers::Turn::~Turn() {
  if (!held_) return;
  {
    const std::scoped_lock lock(askers_.mutex_);
    --askers_.asking_;
  }
  askers_.left_.notify_one();
}

Fate fate_of(const PostgresOptions& options, Askers& askers, const std::string& number,
             const std::string& run, Clock::Steady until) {
  if (number.empty() || run.empty()) return Fate::unknown;
  auto plain = options;
  plain.resolve_max = {};
  const auto driver = postgres_driver(std::move(plain));
  for (auto pause = kFirstPause; Clock::Steady::clock::now() < until;
       pause = std::min(pause * 2, kPauseMax)) {
    try {
      // A connection for each try: between two, others have their turn.
      const Askers::Turn turn(askers, until);
      if (!turn) return Fate::unknown;
      const auto connection = driver->connect({.deadline = until});
      connection->set_deadline(until);
      if (const auto fate = ask(*connection, number, run)) return *fate;
    } catch (const SqlError& error) {
      if (!error.retryable()) return Fate::unknown;  // else the server may be on its way back
    } catch (const std::exception&) {
      // No thread or no memory to ask with, or an answer of another shape: passed on, it would say
      // that the transaction had failed, which nobody knows.
      return Fate::unknown;
    }
    const auto left = until - Clock::Steady::clock::now();
    std::this_thread::sleep_for(std::min<Clock::Steady::duration>(pause, left));
  }
  return Fate::unknown;
}

}  // namespace carrel::postgres
