#include "drivers/postgres/postgres_connection.h"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/db/sql_error.h"
#include "db/busy.h"
#include "drivers/postgres/postgres_rows.h"

namespace carrel::postgres {
namespace {

// What DISCARD ALL does, but for the prepared statements, most of which are ours.
// https://www.postgresql.org/docs/15/sql-discard.html
constexpr const char* kUnlocking = "select pg_advisory_unlock_all()";
constexpr std::array<const char*, 7> kCleaning = {
    "close all",        "set session authorization default",
    "reset all",        "unlisten *",
    kUnlocking,         "discard temp",
    "discard sequences"};

// By PREPARE, also by one that a function hides. To drop such a statement takes another round trip:
// rare enough for a new connection.
constexpr const char* kPreparedByHand =
    "select 1 from pg_catalog.pg_prepared_statements where from_sql limit 1";

// Sends a cancel request and returns once the server has passed it on. There is but one kind: the
// statement of a connection that was given up is asked for once more.
std::function<void(CancelTarget)> cancel_of(PGconn* connection) {
  const std::shared_ptr<PGcancel> key(PQgetCancel(connection), &PQfreeCancel);
  return [key](CancelTarget) {
    std::array<char, 256> error{};  // unused: a statement not cancelled ends by itself, or never
    static_cast<void>(PQcancel(key.get(), error.data(), static_cast<int>(error.size())));
  };
}

}  // namespace

PostgresConnection::PostgresConnection(std::shared_ptr<const PostgresOptions> options,
                                       std::shared_ptr<Askers> askers, Clock::Steady deadline)
    : options_(std::move(options)),
      askers_(std::move(askers)),
      link_(*options_, remote::at_most(deadline, options_->connect_max)),
      canceller_(cancel_of(link_.get())),
      pipeline_(link_, canceller_),
      known_(options_->statements_max),
      place_(options_->statements_max == 0 ? remote::PlaceRecord::Lasts::transaction
                                           : remote::PlaceRecord::Lasts::session) {
  set_deadline(deadline);
  reported_ = Reported::by(link_.get());
  if (resolves()) run_ = run_of(*this);
}

bool PostgresConnection::in_transaction() const noexcept {
  if (begin_ != nullptr) return true;
  if (broken()) return false;
  const auto status = PQtransactionStatus(link_.get());
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

// The caller's deadline; where it has passed, a little more, so that things end in good order.
Clock::Steady PostgresConnection::upkeep_deadline() const noexcept {
  return remote::upkeep_deadline(deadline(), options_->grace, options_->upkeep_max);
}

RunOptions PostgresConnection::by_deadline(OnDeadline on_deadline) const noexcept {
  return {.deadline = deadline(), .grace = options_->grace, .on_deadline = on_deadline};
}

RunOptions PostgresConnection::for_upkeep() const noexcept {
  return {.deadline = upkeep_deadline(), .grace = options_->grace};
}

void PostgresConnection::do_begin(const BeginOptions& options) {
  begin_ = &begin_for(options);
  writes_ = options.access == Access::read_write;
  number_.clear();
}

Result PostgresConnection::do_execute(const Statement& statement,
                                      std::span<const Value> parameters) {
  require_usable(statement.text);
  const BatchItem item{.statement = statement, .parameters = parameters};
  if (auto* variant = ready_alone(item)) {
    const bool autocommit = !in_transaction();
    const auto outcome =
        pipeline_.execute(variant->name(), parameters_, by_deadline(OnDeadline::cancel));
    broken_ |= !outcome.usable;
    const auto* answer = outcome.answers[0].get();
    const bool done = answer != nullptr && outcome.ending == Ending::complete && !outcome.failure;
    if (done && !(outcome.unreplicated && autocommit)) [[likely]] {
      if (!variant->columns) variant->columns = columns_of(answer);
      return rows_of(answer, variant->columns);
    }
    require_repeatable(item, outcome, autocommit);
  }
  const auto ran = run({&item, 1}, Then::nothing);
  return result_of(ran, ran.plan.statements.front());
}

// A known statement that nothing has to travel with: nothing is planned then, and it goes by
// itself.
Variant* PostgresConnection::ready_alone(const BatchItem& item) {
  if (begin_ != nullptr || place_.pending() || !discarded_.empty() || options_->statements_max == 0)
    return nullptr;
  if (resolves() && writes_ && number_.empty() && in_transaction()) return nullptr;
  auto* known = known_.find(item.statement);
  if (known == nullptr || known->text.drops_prepared) return nullptr;
  auto* variant = known->on_server_for_plain(item.parameters);
  if (variant == nullptr) return nullptr;
  // All else was found to be allowed when it was prepared, for as many parameters. Where values do
  // not fit, the plan says why.
  if (!parameters_.encode(item.parameters)) return nullptr;
  left_.note(known->text, item.statement.leaves);
  return variant;
}

// Throws what went wrong, unless the statement need only be prepared again.
void PostgresConnection::require_repeatable(const BatchItem& item, const Outcome& outcome,
                                            bool autocommit) {
  Plan plan;
  plan.autocommit = autocommit;
  look_up(plan, item);
  if (prepare_again(plan, outcome)) return;
  require_success(plan, outcome);
  throw SqlError("sql.other", {.message = "the server gave no answer",
                               .statement = plan.statements.front().sql});
}

std::vector<Result> PostgresConnection::do_batch(std::span<const BatchItem> items) {
  return results_of(run(items, Then::nothing));
}

std::vector<Result> PostgresConnection::do_batch_and_commit(std::span<const BatchItem> items) {
  if (items.empty()) {
    do_commit();
    return {};
  }
  if (!in_transaction())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to commit"});
  return results_of(run(items, Then::commit));
}

void PostgresConnection::throw_given_up(std::string_view sql) {
  throw SqlError("sql.connection_lost", {.message = "the connection was given up earlier",
                                         .sqlstate = "08003",
                                         .statement = sql,
                                         .traits = {.retryable = true},
                                         .dialect = &kDialect});
}

PostgresConnection::Ran PostgresConnection::run(std::span<const BatchItem> items, Then then) {
  require_usable(items.front().statement.text);
  for (bool again = false;; again = true) {
    auto made = plan(items, then);
    auto outcome = pipeline_.run(by_deadline(OnDeadline::cancel));
    broken_ |= !outcome.usable;
    learn(made, outcome);
    settle_place(has_committed(made, outcome));
    if (!again && prepare_again(made, outcome)) continue;
    require_success(made, outcome);
    return {std::move(made), std::move(outcome)};
  }
}

Result PostgresConnection::result_of(const Ran& ran, const Planned& statement) {
  const auto* answer = ran.outcome.answers[statement.execute].get();
  return rows_of(answer, statement.variant ? statement.variant->columns : columns_of(answer));
}

std::vector<Result> PostgresConnection::results_of(const Ran& ran) {
  std::vector<Result> results;
  results.reserve(ran.plan.statements.size());
  for (const auto& statement : ran.plan.statements) results.push_back(result_of(ran, statement));
  if (ran.plan.commit != Outcome::kNone && ran.outcome.answers[ran.plan.commit])
    require_committed(ran.outcome, ran.plan.commit);
  return results;
}

void PostgresConnection::do_commit() {
  if (begin_ != nullptr) {
    begin_ = nullptr;  // nothing was done in it
    return;
  }
  if (!in_transaction())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to commit"});
  const auto outcome = pipeline_.command("commit", by_deadline(OnDeadline::leave));
  broken_ |= !outcome.usable;
  if (outcome.ending != Ending::complete || outcome.failure) {
    settle_place(/*committed=*/false);
    Plan only_commit;
    only_commit.commit = 0;
    require_success(only_commit, outcome);
  }
  if (!outcome.answers[0]) return;
  settle_place(is_commit(outcome, 0));
  require_committed(outcome, 0);
}

void PostgresConnection::do_rollback() noexcept {
  begin_ = nullptr;
  if (!in_transaction()) return;
  const auto outcome = pipeline_.command("rollback", for_upkeep());
  broken_ |= !outcome.usable || !outcome.answers[0];
  settle_place(/*committed=*/false);
}

void PostgresConnection::do_savepoint_command(std::string_view sql) {
  require_time(sql);
  require_usable(sql);
  for (bool again = false;; again = true) {
    Plan made;
    queue_opening(made);
    made.statements.push_back({.sql = sql, .variant = nullptr});
    made.statements.front().execute = pipeline_.add_command(std::string(sql));
    const auto outcome = pipeline_.run(by_deadline(OnDeadline::cancel));
    broken_ |= !outcome.usable;
    learn_number(made, outcome);
    learn_begin(made, outcome);
    settle_place(/*committed=*/false);
    if (!again && prepare_again(made, outcome)) continue;  // BEGIN, which the server forgot
    return require_success(made, outcome);
  }
}

// A caller's word is held against what the server has told.
Leaves PostgresConnection::left_behind() {
  if (left_.trusts_callers() && !Reported::by(link_.get()).agrees_with(reported_, place_.known()))
    return Leaves::anything;
  return left_.most();
}

bool PostgresConnection::reset() noexcept {
  begin_ = nullptr;
  if (broken()) return false;
  const bool open = in_transaction();
  const auto left = left_behind();
  left_.clear();
  if (!open && left == Leaves::nothing) {
    if (place_.away()) [[unlikely]]
      leave_place();
    return true;
  }
  const Busy busy(*this);
  if (open) pipeline_.add_command("rollback");
  auto by_hand = Outcome::kNone;
  if (left == Leaves::locks) pipeline_.add_command(kUnlocking);
  if (left == Leaves::anything) {
    for (const char* sql : kCleaning) pipeline_.add_command(sql);
    by_hand = pipeline_.add_command(kPreparedByHand);
  }
  const auto outcome = pipeline_.run(for_upkeep());
  const bool clean = outcome.usable && outcome.failed == Outcome::kNone &&
                     (by_hand == Outcome::kNone || PQntuples(outcome.answers[by_hand].get()) == 0);
  broken_ |= !clean;
  settle_place(/*committed=*/false);
  if (left == Leaves::anything) place_.came_home();
  leave_place();
  return clean;
}

bool PostgresConnection::validate() noexcept {
  const Busy busy(*this);
  return answers();
}

bool PostgresConnection::answers() noexcept {
  if (broken()) return false;
  const auto outcome = pipeline_.run(for_upkeep());
  broken_ |= !outcome.usable;
  return outcome.usable;
}

}  // namespace carrel::postgres
