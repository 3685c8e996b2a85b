#include "drivers/postgres/postgres_connection.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/db/sql_error.h"
#include "drivers/postgres/postgres_rows.h"

namespace carrel::postgres {
namespace {

std::string begin_text(const BeginOptions& options) {
  std::string sql = "begin";
  switch (options.isolation) {
    case Isolation::standard:
      break;
    case Isolation::read_committed:
      sql += " isolation level read committed";
      break;
    case Isolation::repeatable_read:
      sql += " isolation level repeatable read";
      break;
    case Isolation::serializable:
      sql += " isolation level serializable";
      break;
  }
  // Said either way, whatever default_transaction_read_only is.
  sql += options.access == Access::read_only ? " read only" : " read write";
  if (options.deferrable) sql += " deferrable";
  return sql;
}

// What DISCARD ALL does, but for the prepared statements, which are ours.
// https://www.postgresql.org/docs/15/sql-discard.html
constexpr std::array<const char*, 7> kCleaning = {
    "close all",        "set session authorization default", "reset all",
    "unlisten *",       "select pg_advisory_unlock_all()",   "discard temp",
    "discard sequences"};

// Sends a cancel request and returns once the server has passed it on.
std::function<void()> cancel_of(PGconn* connection) {
  const std::shared_ptr<PGcancel> key(PQgetCancel(connection), &PQfreeCancel);
  return [key] {
    std::array<char, 256> error{};  // unused: a statement not cancelled ends by itself, or never
    static_cast<void>(PQcancel(key.get(), error.data(), static_cast<int>(error.size())));
  };
}

void require_allowed(const BatchItem& item, const remote::StatementText& text) {
  SqlFailure failure{.statement = item.statement.text, .dialect = &kDialect};
  if (text.controls_transaction) {
    failure.message = "BEGIN, COMMIT and savepoints are the session's, not a statement's";
    throw SqlError("sql.transaction_control", failure);
  }
  if (text.first_word == "copy") {
    failure.message = "COPY goes through load()";
    throw SqlError("sql.unsupported", failure);
  }
  if (text.parameters != item.parameters.size()) {
    failure.message = "the statement takes " + std::to_string(text.parameters) +
                      " parameters and was given " + std::to_string(item.parameters.size());
    failure.sqlstate = "07001";
    throw SqlError("sql.parameter_count", failure);
  }
  for (const auto& value : item.parameters) Parameters::require_fits(value);
}

}  // namespace

PostgresConnection::PostgresConnection(std::shared_ptr<const PostgresOptions> options,
                                       std::shared_ptr<Askers> askers, Clock::Steady deadline)
    : options_(std::move(options)),
      askers_(std::move(askers)),
      link_(*options_, remote::at_most(deadline, options_->connect_max)),
      canceller_(cancel_of(link_.get())),
      pipeline_(link_, canceller_),
      known_(options_->statements_max) {
  set_deadline(deadline);
  if (resolves()) run_ = run_of(*this);
}

bool PostgresConnection::in_transaction() const noexcept {
  if (!begin_.empty()) return true;
  if (broken()) return false;
  const auto status = PQtransactionStatus(link_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

// The caller's deadline; where it has passed, a little more, so that things end in good order.
Clock::Steady PostgresConnection::upkeep_deadline() const noexcept {
  const auto now = Clock::Steady::clock::now();
  return std::clamp(deadline(), now + options_->grace, now + options_->upkeep_max);
}

Outcome PostgresConnection::send(OnDeadline on_deadline) {
  auto outcome =
      pipeline_.run({.deadline = deadline(), .grace = options_->grace, .on_deadline = on_deadline});
  if (!outcome.usable) broken_ = true;
  return outcome;
}

void PostgresConnection::do_begin(const BeginOptions& options) {
  begin_ = begin_text(options);
  writes_ = options.access == Access::read_write;
  number_.clear();
}

Result PostgresConnection::do_execute(const Statement& statement,
                                      std::span<const Value> parameters) {
  const BatchItem item{.statement = statement, .parameters = parameters};
  return std::move(run({&item, 1}, Then::nothing).front());
}

std::vector<Result> PostgresConnection::do_batch(std::span<const BatchItem> items) {
  return run(items, Then::nothing);
}

std::vector<Result> PostgresConnection::do_batch_and_commit(std::span<const BatchItem> items) {
  if (items.empty()) {
    do_commit();
    return {};
  }
  if (!in_transaction())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to commit"});
  return run(items, Then::commit);
}

void PostgresConnection::require_usable(std::string_view sql) const {
  if (!broken()) return;
  throw SqlError("sql.connection_lost", {.message = "the connection was given up earlier",
                                         .sqlstate = "08003",
                                         .statement = sql,
                                         .traits = {.retryable = true},
                                         .dialect = &kDialect});
}

std::vector<Result> PostgresConnection::run(std::span<const BatchItem> items, Then then) {
  require_usable(items.front().statement.text);
  for (bool again = false;; again = true) {
    auto made = plan(items, then);
    const auto outcome = send(OnDeadline::cancel);
    learn(made, outcome);
    if (!again && prepare_again(made, outcome)) continue;
    require_success(made, outcome);

    std::vector<Result> results;
    results.reserve(items.size());
    for (const auto& statement : made.statements) {
      const auto* answer = outcome.answers[statement.execute].get();
      results.push_back(
          rows_of(answer, statement.variant ? statement.variant->columns : columns_of(answer)));
    }
    if (then == Then::commit && outcome.answers[made.commit])
      require_committed(outcome, made.commit);
    return results;
  }
}

PostgresConnection::Plan PostgresConnection::plan(std::span<const BatchItem> items, Then then) {
  Plan made;
  made.autocommit = !in_transaction();
  made.statements.reserve(items.size());
  // Everything is checked before the first command is queued: nothing can be taken back then.
  for (const auto& item : items) look_up(made, item);
  queue_begin(made);
  queue_number(made);
  if (made.only_queries) queue_discarded(made);
  for (std::size_t i = 0; i < items.size(); ++i) queue(made.statements[i], items[i].parameters);
  if (then == Then::commit) made.commit = pipeline_.add_command("commit");
  return made;
}

void PostgresConnection::look_up(Plan& plan, const BatchItem& item) {
  Planned planned{.sql = item.statement.text, .variant = nullptr};
  if (options_->statements_max == 0) {
    note(plan, item, remote::read_statement(item.statement.text, kDialect));
  } else {
    auto* known = known_.find(item.statement);
    if (known == nullptr) {
      auto text = remote::read_statement(item.statement.text, kDialect);
      known = &known_.insert(item.statement, {.text = std::move(text), .variants = {}});
    }
    note(plan, item, known->text);
    planned.variant = variant_for(*known, item.parameters);
  }
  plan.statements.push_back(std::move(planned));
}

void PostgresConnection::note(Plan& plan, const BatchItem& item,
                              const remote::StatementText& text) {
  require_allowed(item, text);
  plan.only_reads &= text.only_reads;
  plan.only_queries &= text.is_query;
  plan.drops_prepared |= text.drops_prepared;
  dirty_ |= !text.leaves_session_as_is;
}

std::shared_ptr<Variant> PostgresConnection::variant_for(KnownStatement& known,
                                                         std::span<const Value> values) {
  for (const auto& variant : known.variants) {
    if (variant->takes(values)) return variant;
  }
  if (known.variants.size() >= KnownStatement::kVariantsMax)
    known.variants.erase(known.variants.begin());
  known.variants.push_back(
      std::make_shared<Variant>("c" + std::to_string(++statements_made_), values, &discarded_));
  return known.variants.back();
}

void PostgresConnection::queue_begin(Plan& plan) {
  if (begin_.empty()) return;
  plan.begin = pipeline_.add_command(begin_);
  plan.begin_sql = std::exchange(begin_, {});
}

// Of a transaction that begins now, or whose first statement was a load.
void PostgresConnection::queue_number(Plan& plan) {
  if (!resolves() || !writes_ || !number_.empty() || plan.autocommit) return;
  plan.number = pipeline_.add_command(kTransactionNumber);
}

void PostgresConnection::learn_number(const Plan& plan, const Outcome& outcome) {
  if (plan.number == Outcome::kNone || !outcome.answers[plan.number]) return;
  number_ = PQgetvalue(outcome.answers[plan.number].get(), 0, 0);
}

void PostgresConnection::queue_discarded(Plan& plan) {
  for (const auto& name : discarded_) {
    const auto step = pipeline_.add_command("deallocate " + name);
    if (plan.discarded++ == 0) plan.first_discarded = step;
  }
}

void PostgresConnection::queue(Planned& planned, std::span<const Value> values) {
  parameters_.encode(values);
  const std::string sql(planned.variant && planned.variant->on_server ? "" : planned.sql);
  if (!planned.variant) {
    planned.execute = pipeline_.add_direct(sql, parameters_);
    return;
  }
  if (!planned.variant->on_server) {
    planned.prepare = pipeline_.add_prepare(planned.variant->name(), sql, parameters_);
    planned.variant->on_server = true;  // for the same text later in this run; see learn()
  }
  planned.execute = pipeline_.add_execute(planned.variant->name(), parameters_);
}

void PostgresConnection::learn(const Plan& plan, const Outcome& outcome) {
  learn_number(plan, outcome);
  std::size_t gone = 0;
  while (gone < plan.discarded && outcome.answers[plan.first_discarded + gone]) ++gone;
  discarded_.erase(discarded_.begin(), discarded_.begin() + static_cast<std::ptrdiff_t>(gone));
  for (const auto& statement : plan.statements) {
    if (!statement.variant) continue;
    if (statement.prepare != Outcome::kNone && !outcome.answers[statement.prepare])
      statement.variant->on_server = false;
    if (const auto& answer = outcome.answers[statement.execute];
        answer && !statement.variant->columns)
      statement.variant->columns = columns_of(answer.get());
  }
  if (plan.drops_prepared) forget_statements(plan);
}

// The server has dropped what we had prepared.
void PostgresConnection::forget_statements(const Plan& plan) {
  for (const auto& statement : plan.statements) {
    if (statement.variant) statement.variant->on_server = false;
  }
  known_.clear();
  discarded_.clear();
}

// A statement prepared before a table changed, or lost behind a pooler, is prepared anew, where
// nothing of the transaction has been done yet. Returns whether to run the plan again.
bool PostgresConnection::prepare_again(const Plan& plan, const Outcome& outcome) {
  if (broken() || !outcome.failure || !asks_to_prepare_again(outcome.failure.get())) return false;
  if (sqlstate_of(outcome.failure.get()) == "26000") {
    forget_statements(plan);
  } else {
    for (const auto& statement : plan.statements) {
      if (statement.execute == outcome.failed) known_.erase(statement.sql);
    }
  }
  if (plan.begin != Outcome::kNone) {
    do_rollback();
    begin_ = plan.begin_sql;
    number_.clear();
    return !broken();
  }
  return plan.autocommit;
}

void PostgresConnection::do_commit() {
  if (!begin_.empty()) {
    begin_.clear();  // nothing was done in it
    return;
  }
  if (!in_transaction())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to commit"});
  Plan only_commit;
  only_commit.commit = pipeline_.add_command("commit");
  const auto outcome = send(OnDeadline::leave);
  require_success(only_commit, outcome);
  if (outcome.answers[only_commit.commit]) require_committed(outcome, only_commit.commit);
}

void PostgresConnection::do_rollback() noexcept {
  begin_.clear();
  if (!in_transaction()) return;
  pipeline_.add_command("rollback");
  const auto outcome = pipeline_.run({.deadline = upkeep_deadline(), .grace = options_->grace});
  if (!outcome.usable || !outcome.answers.front()) broken_ = true;
}

void PostgresConnection::do_savepoint_command(std::string_view sql) {
  require_time(sql);
  require_usable(sql);
  Plan made;
  queue_begin(made);
  queue_number(made);
  made.statements.push_back({.sql = sql, .variant = nullptr});
  made.statements.front().execute = pipeline_.add_command(std::string(sql));
  const auto outcome = send(OnDeadline::cancel);
  learn_number(made, outcome);
  require_success(made, outcome);
}

bool PostgresConnection::reset() noexcept {
  begin_.clear();
  if (broken()) return false;
  const bool open = in_transaction();
  if (!open && !dirty_) return true;
  if (open) pipeline_.add_command("rollback");
  if (dirty_) {
    for (const char* sql : kCleaning) pipeline_.add_command(sql);
  }
  const auto outcome = pipeline_.run({.deadline = upkeep_deadline(), .grace = options_->grace});
  const bool clean = outcome.usable && outcome.failed == Outcome::kNone;
  broken_ |= !clean;
  dirty_ = false;
  return clean;
}

bool PostgresConnection::validate() noexcept {
  if (broken()) return false;
  const auto outcome = pipeline_.run({.deadline = upkeep_deadline(), .grace = options_->grace});
  broken_ |= !outcome.usable;
  return outcome.usable;
}

}  // namespace carrel::postgres
