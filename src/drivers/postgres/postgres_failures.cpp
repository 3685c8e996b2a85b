// The part of PostgresConnection that says what became of a run that did not end well.
#include <algorithm>
#include <string>

#include "carrel/db/sql_error.h"
#include "drivers/postgres/postgres_connection.h"
#include "drivers/postgres/postgres_rows.h"

namespace carrel::postgres {

void PostgresConnection::require_success(const Plan& plan, const Outcome& outcome) {
  if (outcome.ending != Ending::complete) return settle_lost(plan, outcome);
  if (!outcome.failure) {
    if (plan.autocommit) require_replicated(outcome);
    return;
  }
  if (plan.place > 0 && outcome.failed >= plan.first_of_place &&
      outcome.failed < plan.first_of_place + plan.place)
    throw_no_place(outcome);
  std::string_view sql = "commit";
  if (outcome.failed == plan.begin || outcome.failed == plan.prepare_begin) sql = plan.begun->sql;
  for (const auto& statement : plan.statements) {
    if (statement.prepare == outcome.failed || statement.execute == outcome.failed)
      sql = statement.sql;
  }
  throw_failure(outcome, sql);
}

void PostgresConnection::throw_failure(const Outcome& outcome, std::string_view sql) {
  const SqlError error = error_of(outcome.failure.get(), sql);
  if (asks_to_prepare_again(outcome.failure.get())) {
    // Inside a transaction only the whole can be run again, as after a lost conflict.
    throw SqlError("sql.serialization_failure",
                   {.message = "a table was altered during the transaction",
                    .sqlstate = std::string(error.sqlstate()),
                    .statement = sql,
                    .traits = {.retryable = true},
                    .dialect = &kDialect});
  }
  if (outcome.cancelled == CancelReason::deadline && error.sqlstate() == "57014") {
    throw SqlError("sql.deadline", {.message = "the deadline passed while the statement ran",
                                    .sqlstate = "57014",
                                    .statement = sql,
                                    .traits = {.retryable = true},
                                    .dialect = &kDialect});
  }
  throw error;
}

// A COMMIT that got no answer may be asked after. What was committed has succeeded all the same,
// unless a row that the caller waits for was lost with the answer.
void PostgresConnection::settle_lost(const Plan& plan, const Outcome& outcome) {
  const bool asks = resolves() && plan.commit != Outcome::kNone && !number_.empty() &&
                    (outcome.failed == Outcome::kNone || outcome.failed >= plan.commit);
  if (!asks) throw_lost(plan, outcome, Fate::unknown);
  const auto until = remote::at_most(deadline(), options_->resolve_max);
  link_.close();  // its place at the server is free for whoever asks
  const auto fate = fate_of(*options_, *askers_, number_, run_, until);
  const bool all_answered = std::ranges::all_of(plan.statements, [&](const Planned& statement) {
    return outcome.answers[statement.execute] != nullptr;
  });
  if (fate != Fate::committed || !all_answered) throw_lost(plan, outcome, fate);
}

// What commits by itself, or contained COMMIT, may have been done unless an earlier step failed.
void PostgresConnection::throw_lost(const Plan& plan, const Outcome& outcome, Fate fate) {
  const bool commits = plan.commit != Outcome::kNone;
  const auto commit_point = commits ? plan.commit : outcome.answers.size();
  const bool in_doubt = fate != Fate::rolled_back &&
                        (commits || (plan.autocommit && !plan.only_reads)) &&
                        (outcome.failed == Outcome::kNone || outcome.failed >= commit_point);
  if (in_doubt && fate == Fate::unknown) require_replicated(outcome);
  SqlFailure failure{.message = "the server did not answer in time",
                     .sqlstate = "08006",
                     .statement = plan.statements.empty() ? "commit" : plan.statements.front().sql,
                     .traits = {.retryable = !in_doubt, .in_doubt = in_doubt},
                     .dialect = &kDialect};
  if (outcome.ending == Ending::timed_out) throw SqlError("sql.deadline", failure);
  failure.message =
      fate == Fate::committed ? "committed, but what it returned was lost" : link_.last_words();
  if (outcome.failure && fate != Fate::committed) {
    failure.sqlstate = sqlstate_of(outcome.failure.get());
    failure.message = message_of(outcome.failure.get());
  }
  throw SqlError("sql.connection_lost", failure);
}

void PostgresConnection::require_committed(const Outcome& outcome, std::size_t step) {
  const std::string_view tag = PQcmdStatus(outcome.answers[step].get());
  if (tag != "COMMIT") {
    throw SqlError("sql.rolled_back",
                   {.message = "an earlier error had spoiled the transaction; it was rolled back",
                    .sqlstate = "25P02",
                    .statement = "commit"});
  }
  require_replicated(outcome);
}

// The server's warning: cancelled, or told to end, while the commit waited for replicas. After the
// latter the link is lost, and nothing follows the warning.
void PostgresConnection::require_replicated(const Outcome& outcome) {
  if (!outcome.unreplicated) return;
  const bool late =
      outcome.cancelled == CancelReason::deadline || outcome.ending == Ending::timed_out;
  throw SqlError(late ? ErrorCode("sql.deadline") : ErrorCode("sql.cancelled"),
                 {.message = "committed here, but not known to be on a replica",
                  .sqlstate = "57014",
                  .statement = "commit",
                  .traits = {.in_doubt = true}});
}

}  // namespace carrel::postgres
