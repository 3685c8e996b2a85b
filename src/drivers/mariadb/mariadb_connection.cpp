#include "drivers/mariadb/mariadb_connection.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include <algorithm>
#include <utility>

#include "carrel/db/sql_error.h"
#include "db/no_arrays.h"
#include "db/statement_check.h"
#include "drivers/mariadb/mariadb_run.h"

namespace carrel::mariadb {
namespace {

constexpr db::NoArrays kNoArrays{.database = "MariaDB", .dialect = &kDialect};

}  // namespace

MariadbConnection::MariadbConnection(std::shared_ptr<const MariadbOptions> options,
                                     std::shared_ptr<Control> control, Clock::Steady deadline)
    : options_(std::move(options)),
      link_(*options_, remote::at_most(deadline, options_->connect_max)),
      canceller_([control = std::move(control), id = mysql_thread_id(link_.get())](
                     remote::CancelTarget target) { control->kill(target, id); }),
      known_(options_->statements_max) {
  Patience patience(remote::at_most(deadline, options_->connect_max));
  if (configure(patience, "select current_role()")) {
    role_ = link_.answer();
    return;
  }
  throw SqlError(
      patience.gone() ? ErrorCode("sql.deadline") : ErrorCode("sql.cannot_connect"),
      {.message = "the server did not take the session's settings", .traits = {.retryable = true}});
}

// What the session starts with, and comes back to: the server's defaults, but for times in UTC, no
// silent cutting of values, and conflicts told instead of overwritten (MariaDB 10.11.9 and others
// of that time; an older server does not know it). The role first: it may be what opens the
// database.
bool MariadbConnection::configure(Patience& patience, std::string_view role_command) {
  std::string common =
      std::string(role_command) +
      "; set session time_zone = '+00:00', autocommit = 1, sql_mode = concat(@@global.sql_mode, "
      "',STRICT_TRANS_TABLES,STRICT_ALL_TABLES')";
  if (!options_->database.empty()) common += "; use " + quoted(options_->database);
  auto trouble = link_.command("set session innodb_snapshot_isolation = on; " + common, patience);
  if (trouble && trouble->number == ER_UNKNOWN_SYSTEM_VARIABLE)
    trouble = link_.command(common, patience);
  return !trouble;
}

Clock::Steady MariadbConnection::upkeep_deadline() const noexcept {
  return remote::upkeep_deadline(deadline(), options_->grace, options_->upkeep_max);
}

void MariadbConnection::require_unspoiled(std::string_view sql) const {
  if (broken()) {
    throw SqlError("sql.connection_lost", {.message = "the connection was given up earlier",
                                           .sqlstate = "08003",
                                           .statement = sql,
                                           .traits = {.retryable = true},
                                           .dialect = &kDialect});
  }
  if (state_ != State::spoiled) return;
  throw SqlError("sql.rolled_back",
                 {.message = "an earlier conflict has rolled the transaction back",
                  .statement = sql,
                  .dialect = &kDialect});
}

void MariadbConnection::require_allowed(const PreparedStatement& statement, std::string_view sql,
                                        std::size_t values) const {
  SqlFailure failure{.statement = sql, .dialect = &kDialect};
  if (statement.text.controls_transaction) {
    failure.message = "BEGIN, COMMIT and savepoints are the session's, not a statement's";
    throw SqlError("sql.transaction_control", failure);
  }
  if (statement.text.parameters != values) {
    failure.message = "the statement takes " + std::to_string(statement.text.parameters) +
                      " parameters and was given " + std::to_string(values);
    failure.sqlstate = "07001";
    throw SqlError("sql.parameter_count", failure);
  }
  if (statement.text.commits_implicitly && state_ != State::none) {
    failure.message = "MariaDB would commit the running transaction first";
    throw SqlError("sql.implicit_commit", failure);
  }
}

PreparedStatement MariadbConnection::read(std::string_view sql) {
  db::require_valid_statement(sql, kDialect);
  PreparedStatement made{
      .handle = nullptr, .text = remote::read_statement(sql, kDialect), .order = {}};
  made.as_text = may_go_as_text(sql, made.text);
  return made;
}

PreparedStatement& MariadbConnection::known(const Statement& statement) {
  if (options_->statements_max == 0) return unkept_.emplace(read(statement.text));
  if (auto* known = known_.find(statement)) return *known;
  return known_.insert(statement, read(statement.text));
}

void MariadbConnection::prepare(PreparedStatement& statement, std::string_view sql, Run& run) {
  if (statement.handle) return;
  auto translated = translate(sql);
  StatementPtr made(mysql_stmt_init(link_.get()));
  auto* handle = made.get();
  link_.count_round_trip();
  int failed = 0;
  link_.run(
      run.patience(),
      [&] {
        return mysql_stmt_prepare_start(&failed, handle, translated.sql.data(),
                                        translated.sql.size());
      },
      [&](int ready) { return mysql_stmt_prepare_cont(&failed, handle, ready); });
  if (failed != 0) {
    remote::StatementText harmless;
    harmless.only_reads = true;  // preparing changes nothing
    fail(Trouble::of(handle), sql, harmless, run);
  }
  statement.handle = std::move(made);
  statement.order = std::move(translated.order);
}

Result MariadbConnection::do_execute(const Statement& statement,
                                     std::span<const Value> parameters) {
  require_unspoiled(statement.text);
  Run run(*this);
  auto& found = known(statement);
  require_allowed(found, statement.text, parameters.size());
  kNoArrays.require_none(parameters, statement.text);
  left_.note(found.text, statement.leaves);
  if (found.as_text && opens()) {
    if (auto result = run_with_opening(found, run, statement.text)) return std::move(*result);
  }
  if (place_.pending()) send_opening();  // a statement is prepared for the database of that moment
  prepare(found, statement.text, run);
  send_opening();
  auto result = run_bound(found, parameters, run, statement.text);
  if (!result) {
    forget(statement.text, found, run);
    auto& anew = known(statement);
    prepare(anew, statement.text, run);
    result = run_bound(anew, parameters, run, statement.text);
    if (!result) throw_altered(statement.text, /*in_doubt=*/false);
    return std::move(*result);
  }
  require_finished(found, run, statement.text);
  return std::move(*result);
}

void MariadbConnection::require_finished(const PreparedStatement& statement, Run& run,
                                         std::string_view sql) {
  // SLEEP, BENCHMARK and the like answer early when they are killed, without an error. A write that
  // reports success has happened, however.
  const auto reason = run.end();
  if (reason != remote::CancelReason::none && statement.text.only_reads)
    throw_cancelled(reason, sql);
  note_state(sql);
}

std::optional<Result> MariadbConnection::run_bound(PreparedStatement& statement,
                                                   std::span<const Value> parameters, Run& run,
                                                   std::string_view sql) {
  Binding binding(parameters, statement.order);
  if (!binding.bind_to(statement.handle.get()))
    fail(Trouble::of(statement.handle.get()), sql, statement.text, run);
  return run_prepared(statement, run, sql);
}

// The result has other columns than when the statement was prepared: a table was altered, and
// libmariadb does not read such a result. Reading it once more does no harm; a write has been made.
void MariadbConnection::forget(std::string_view sql, PreparedStatement& statement, Run& run) {
  my_bool failed = 0;
  auto* handle = statement.handle.release();
  const bool only_reads = statement.text.only_reads;
  link_.run(
      run.patience(), [&] { return mysql_stmt_close_start(&failed, handle); },
      [&](int ready) { return mysql_stmt_close_cont(&failed, handle, ready); });
  known_.erase(sql);
  if (only_reads) return;
  const bool in_doubt = state_ == State::none;
  if (state_ == State::open) spoil();
  throw_altered(sql, in_doubt);
}

void MariadbConnection::throw_altered(std::string_view sql, bool in_doubt) {
  throw SqlError("sql.serialization_failure",
                 {.message = "a table was altered while the statement was prepared",
                  .native_code = CR_NEW_STMT_METADATA,
                  .statement = sql,
                  .traits = {.retryable = !in_doubt, .in_doubt = in_doubt},
                  .dialect = &kDialect});
}

void MariadbConnection::spoil() {
  Patience patience(upkeep_deadline());
  if (link_.command("rollback", patience)) link_.give_up();
  state_ = State::spoiled;
}

void MariadbConnection::throw_cancelled(remote::CancelReason reason, std::string_view sql) {
  SqlFailure failure{.message = "the statement was cancelled",
                     .sqlstate = "70100",
                     .native_code = ER_QUERY_INTERRUPTED,
                     .statement = sql,
                     .traits = {.retryable = true},
                     .dialect = &kDialect};
  if (reason != remote::CancelReason::deadline) throw SqlError("sql.cancelled", failure);
  failure.message = "the deadline passed while the statement ran";
  throw SqlError("sql.deadline", failure);
}

// Nothing where the result has other columns than it was prepared for.
std::optional<Result> MariadbConnection::run_prepared(PreparedStatement& statement, Run& run,
                                                      std::string_view sql) {
  auto* handle = statement.handle.get();
  link_.count_round_trip();
  int failed = 0;
  link_.run(
      run.patience(), [&] { return mysql_stmt_execute_start(&failed, handle); },
      [&](int ready) { return mysql_stmt_execute_cont(&failed, handle, ready); });
  if (failed != 0 && mysql_stmt_errno(handle) == CR_NEW_STMT_METADATA) return std::nullopt;
  if (failed != 0) fail(Trouble::of(handle), sql, statement.text, run);
  if (mysql_stmt_field_count(handle) != 0) {
    link_.run(
        run.patience(), [&] { return mysql_stmt_store_result_start(&failed, handle); },
        [&](int ready) { return mysql_stmt_store_result_cont(&failed, handle, ready); });
    if (failed != 0) fail(Trouble::of(handle), sql, statement.text, run);
  }
  auto result = fetch_rows(handle, statement.text);
  if (!result) {  // of what has been run: out of memory, it seems
    auto trouble = Trouble::of(handle);
    if (trouble.message.empty()) trouble.message = "libmariadb did not give all rows that it has";
    link_.give_up();
    const bool in_doubt = state_ == State::none && !statement.text.only_reads;
    throw_lost(trouble, sql, in_doubt, /*timed_out=*/false);
  }
  mysql_stmt_free_result(handle);
  // A procedure answers several times; the first answer is the caller's.
  while (mysql_stmt_more_results(handle) != 0 && failed == 0) {
    link_.run(
        run.patience(), [&] { return mysql_stmt_next_result_start(&failed, handle); },
        [&](int ready) { return mysql_stmt_next_result_cont(&failed, handle, ready); });
    if (failed > 0) fail(Trouble::of(handle), sql, statement.text, run);
    if (failed == 0 && mysql_stmt_field_count(handle) != 0) {
      link_.run(
          run.patience(), [&] { return mysql_stmt_store_result_start(&failed, handle); },
          [&](int ready) { return mysql_stmt_store_result_cont(&failed, handle, ready); });
      mysql_stmt_free_result(handle);
    }
  }
  return result;
}

// A procedure may have committed what it should not.
void MariadbConnection::note_state(std::string_view sql) {
  if (state_ != State::open) return;
  unsigned status = 0;
  mariadb_get_infov(link_.get(), MARIADB_CONNECTION_SERVER_STATUS, &status);
  if ((status & SERVER_STATUS_IN_TRANS) != 0) return;
  state_ = State::none;
  throw SqlError("sql.implicit_commit",
                 {.message = "the statement has ended the transaction it was part of",
                  .statement = sql,
                  .traits = {.in_doubt = true},
                  .dialect = &kDialect});
}

void MariadbConnection::fail(const Trouble& trouble, std::string_view sql,
                             const remote::StatementText& text, Run& run) {
  const bool autocommit = state_ == State::none;
  const bool timed_out = run.patience().gone();
  if (timed_out || means_lost(trouble.number)) {
    link_.give_up();
    // A server that says why it closes the connection has undone the statement.
    const bool told = trouble.number == ER_CONNECTION_KILLED;
    throw_lost(trouble, sql, autocommit && !text.only_reads && !told, timed_out);
  }
  const auto reason = run.end();
  const auto meaning = meaning_of(trouble.number);
  if (meaning.ends_transaction() && state_ == State::open) {
    spoil();  // a lock time-out undoes the statement only, a deadlock everything: now everything
  }
  if (reason != remote::CancelReason::none && trouble.number == ER_QUERY_INTERRUPTED)
    throw_cancelled(reason, sql);
  throw error_of(trouble, sql);
}

void MariadbConnection::throw_lost(const Trouble& trouble, std::string_view sql, bool in_doubt,
                                   bool timed_out) {
  SqlFailure failure{.message = "the server did not answer in time",
                     .sqlstate = "08006",
                     .native_code = static_cast<int>(trouble.number),
                     .statement = sql,
                     .traits = {.retryable = !in_doubt, .in_doubt = in_doubt},
                     .dialect = &kDialect};
  if (timed_out) throw SqlError("sql.deadline", failure);
  failure.message = trouble.message;
  throw SqlError("sql.connection_lost", failure);
}

void MariadbConnection::do_commit() {
  const auto was = std::exchange(state_, State::none);
  if (was == State::announced) return;  // nothing was done in it
  if (was == State::none || broken())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to commit"});
  if (was == State::spoiled) {
    throw SqlError(
        "sql.rolled_back",
        {.message = "an earlier conflict had rolled the transaction back", .statement = "commit"});
  }
  Patience patience(deadline());
  const auto trouble = link_.command("commit", patience);
  if (!trouble) return;
  if (patience.gone() || link_.lost() || means_lost(trouble->number)) {
    link_.give_up();
    throw_lost(*trouble, "commit", /*in_doubt=*/true, patience.gone());
  }
  // Refused, as by Galera's certification; whatever is still open must not stay so.
  Patience more(upkeep_deadline());
  if (link_.command("rollback", more)) link_.give_up();
  throw error_of(*trouble, "commit");
}

void MariadbConnection::do_rollback() noexcept {
  const auto was = std::exchange(state_, State::none);
  if (was != State::open || broken()) return;
  Patience patience(upkeep_deadline());
  if (link_.command("rollback", patience)) link_.give_up();
}

}  // namespace carrel::mariadb
