// The part of PostgresConnection that says what a run sends, and what is learned from its answers.
#include <string>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/db/sql_error.h"
#include "db/statement_check.h"
#include "drivers/postgres/postgres_connection.h"
#include "drivers/postgres/postgres_rows.h"

namespace carrel::postgres {
namespace {

remote::StatementText read(std::string_view sql) {
  db::require_valid_statement(sql, kDialect);
  return remote::read_statement(sql, kDialect);
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
  Parameters::require_fit(item.parameters, item.statement.text);
}

}  // namespace

PostgresConnection::Plan PostgresConnection::plan(std::span<const BatchItem> items, Then then) {
  Plan made;
  made.autocommit = !in_transaction();
  made.statements.reserve(items.size());
  // Everything is checked before the first command is queued: nothing can be taken back then.
  for (const auto& item : items) look_up(made, item);
  if (place_.pending() && made.autocommit && !made.only_queries) send_place();
  queue_opening(made);
  if (made.only_queries) queue_discarded(made);
  for (std::size_t i = 0; i < items.size(); ++i) queue(made.statements[i], items[i].parameters);
  if (then == Then::commit) made.commit = pipeline_.add_command("commit");
  return made;
}

void PostgresConnection::look_up(Plan& plan, const BatchItem& item) {
  Planned planned{.sql = item.statement.text, .variant = nullptr};
  if (options_->statements_max == 0) {
    note(plan, item, read(item.statement.text));
  } else {
    auto* known = known_.find(item.statement);
    if (known == nullptr) {
      known = &known_.insert(item.statement, {.text = read(item.statement.text), .variants = {}});
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
  left_.note(text, item.statement.leaves);
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

// What goes before the first statement.
void PostgresConnection::queue_opening(Plan& plan) {
  const bool within = place_.lasts() == remote::PlaceRecord::Lasts::transaction;
  if (!within) queue_place(plan);
  queue_begin(plan);
  if (within) queue_place(plan);
  queue_number(plan);
}

void PostgresConnection::queue_begin(Plan& plan) {
  if (begin_ == nullptr) return;
  plan.begun = std::exchange(begin_, nullptr);
  if (options_->statements_max == 0) {
    plan.begin = pipeline_.add_command(plan.begun->sql);
    return;
  }
  static_cast<void>(parameters_.encode({}));
  if (!begins_on_server_[plan.begun->number]) {
    plan.prepare_begin = pipeline_.add_prepare(plan.begun->name, plan.begun->sql, parameters_);
    begins_on_server_.set(plan.begun->number);  // see learn()
  }
  plan.begin = pipeline_.add_execute(plan.begun->name, parameters_);
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

void PostgresConnection::learn_begin(const Plan& plan, const Outcome& outcome) {
  if (plan.prepare_begin != Outcome::kNone && !outcome.answers[plan.prepare_begin])
    begins_on_server_.reset(plan.begun->number);
}

void PostgresConnection::queue_discarded(Plan& plan) {
  for (const auto& name : discarded_) {
    const auto step = pipeline_.add_command("deallocate " + name);
    if (plan.discarded++ == 0) plan.first_discarded = step;
  }
}

void PostgresConnection::queue(Planned& planned, std::span<const Value> values) {
  const bool fit = parameters_.encode(values);
  CARREL_ASSERT(fit, "look_up() has found that the values fit");
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
  learn_begin(plan, outcome);
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
  begins_on_server_.reset();
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
    begin_ = plan.begun;
    number_.clear();
    return !broken();
  }
  return plan.autocommit;
}

}  // namespace carrel::postgres
