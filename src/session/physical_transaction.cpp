#include "session/physical_transaction.h"

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

#include "carrel/base/error.h"
#include "carrel/db/sql_error.h"
#include "session/statement_stop.h"

namespace carrel::session {

PhysicalTransaction::PhysicalTransaction(const BeginOptions& options, Clock::Steady deadline,
                                         const std::stop_token& stop)
    : begin_(options), deadline_(deadline), stop_(stop) {}

PhysicalTransaction::~PhysicalTransaction() {
  roll_back();
}

// Where BEGIN fails, nothing has been done: a caller that goes on begins anew, and never runs a
// statement on a connection without a transaction, where it would commit by itself.
void PhysicalTransaction::begin_on(const Destination& to) {
  auto lease = to.borrow({.access = begin_.access, .deadline = deadline_, .stays_on_thread = true});
  lease->set_deadline(deadline_);
  lease->begin(begin_);
  lease_ = std::move(lease);
  destination_ = &to;
}

// BEGIN may ride along with the first of them, and fail.
void PhysicalTransaction::make_savepoints() {
  while (savepoints_made_ < savepoints_.size()) {
    try {
      lease_->savepoint(static_cast<int>(savepoints_made_ + 1));
    } catch (const SqlError&) {
      lost_ = !lease_->in_transaction();
      throw;
    }
    ++savepoints_made_;
  }
}

void PhysicalTransaction::keep_to(std::uint64_t key) {
  if (destination_ == nullptr) {
    key_ = key;
  } else if (key_ != key) {
    throw Error("shard_key_changed", "the transaction is of another distribution key, on route '" +
                                         destination_->route.name +
                                         "'; requires_new opens another transaction for this one");
  }
}

// Everything that a statement needs before it can be sent.
Connection& PhysicalTransaction::ready(const Destination& to, std::string_view statement) {
  if (doom() != Doom::none) {
    throw Error("rollback_only", "the transaction will roll back and takes no statement any more");
  }
  if (lost_ || committed()) {
    throw SqlError("sql.transaction_lost",
                   {.message = "the database has ended this transaction", .statement = statement});
  }
  require_not_stopped(stop_, statement);
  if (destination_ == nullptr) {
    begin_on(to);
  } else if (destination_ != &to) {
    throw Error("route_changed", "the transaction runs on route '" + destination_->route.name +
                                     "', and the marker says '" + to.route.name +
                                     "' now; requires_new opens another transaction there");
  }
  make_savepoints();
  return *lease_;
}

// Some errors end the transaction behind our back (SQLite: a full disk; any: a lost connection).
template <class F>
auto PhysicalTransaction::guarded(const Destination& to, std::string_view statement, F&& send) {
  auto& connection = ready(to, statement);
  const StatementStop stop(stop_, connection);
  try {
    auto result = send(connection);
    lost_ = !connection.in_transaction();
    if (!lost_) return result;
  } catch (...) {
    lost_ = !connection.in_transaction();
    throw;
  }
  throw SqlError("sql.transaction_lost",
                 {.message = "the statement ended the transaction", .statement = statement});
}

template <class F>
auto PhysicalTransaction::committing(F&& send) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
      send();
      outcome_ = Outcome::committed;
    } else {
      auto result = send();
      outcome_ = Outcome::committed;
      return result;
    }
  } catch (const Error& error) {
    if (error.in_doubt()) outcome_ = Outcome::in_doubt;
    throw;
  } catch (const std::exception& failure) {
    // Not the database's word, but memory or a thread that was not to be had: whether COMMIT had
    // been sent by then, nobody knows.
    outcome_ = Outcome::in_doubt;
    throw SqlError("sql.other",
                   {.message = std::string("COMMIT was not seen to: ") + failure.what(),
                    .statement = "commit",
                    .traits = {.in_doubt = true}});
  }
}

Result PhysicalTransaction::execute(const Resolved& statement, Leaves leaves,
                                    std::span<const Value> parameters) {
  return guarded(statement.destination, statement.sql, [&](Connection& connection) {
    return connection.execute(statement.statement(leaves), parameters);
  });
}

std::vector<Result> PhysicalTransaction::batch(const Destination& to,
                                               std::span<const BatchItem> items) {
  return guarded(to, "batch", [&](Connection& connection) { return connection.batch(items); });
}

std::vector<Result> PhysicalTransaction::batch_and_commit(const Destination& to,
                                                          std::span<const BatchItem> items) {
  auto& connection = ready(to, "batch");
  return committing([&] { return connection.batch_and_commit(items); });
}

std::int64_t PhysicalTransaction::load(const Destination& to, const BulkRows& rows) {
  return guarded(to, rows.table, [&](Connection& connection) { return connection.load(rows); });
}

void PhysicalTransaction::commit() {
  if (committed()) return;
  if (lost_) {
    throw SqlError("sql.transaction_lost",
                   {.message = "the database has ended this transaction before its COMMIT"});
  }
  require_not_stopped(stop_, "commit");
  committing([this] {
    if (lease_) lease_->commit();  // without a statement there is nothing to commit
  });
}

void PhysicalTransaction::record(const Statement& statement, std::span<const Value> parameters) {
  guarded(*destination_, statement.text,
          [&](Connection& connection) { return connection.execute(statement, parameters); });
}

void PhysicalTransaction::prepare(std::string_view name) {
  if (lost_) {
    throw SqlError("sql.transaction_lost",
                   {.message = "the database has ended this transaction before its PREPARE"});
  }
  require_not_stopped(stop_, "prepare transaction");
  lease_->prepare(name);
}

// On the connection that prepared, or on another one where that is gone. Where it cannot be done in
// time, the database keeps it prepared, and recover() finds it.
bool PhysicalTransaction::finish(std::string_view name, Prepared end, Clock::Steady until,
                                 const Pause& pause) noexcept {
  return persist(pause, until, [&] {
    if (!lease_ || lease_->broken()) {
      lease_.release();
      lease_ = destination_->borrow({.deadline = until});
    }
    lease_->set_deadline(until);
    lease_->finish_prepared(name, end);
  });
}

void PhysicalTransaction::roll_back() noexcept {
  if (committed() || !lease_) return;
  lease_->rollback();
}

void PhysicalTransaction::enter_savepoint() {
  savepoints_.push_back({.doom = doom(), .hooks_from = hooks_.mark()});
}

// Where that fails the call has failed, and nothing of it may stay.
void PhysicalTransaction::leave_savepoint() {
  const auto depth = savepoints_.size();
  if (savepoints_made_ == depth && !lost_) {
    try {
      lease_->release(static_cast<int>(depth));
    } catch (const Error&) {
      roll_back_to_savepoint();
      throw;
    }
  }
  savepoints_.pop_back();
  if (savepoints_made_ == depth) savepoints_made_ = depth - 1;
}

void PhysicalTransaction::roll_back_to_savepoint() noexcept {
  const auto depth = savepoints_.size();
  hooks_.roll_back_since(savepoints_.back().hooks_from);
  savepoints_.pop_back();
  if (savepoints_made_ != depth) return;
  savepoints_made_ = depth - 1;
  try {
    if (!lost_) lease_->rollback_to(static_cast<int>(depth));
  } catch (const Error&) {
    lost_ = true;  // what the savepoint held is still there: nothing of it may be committed
  }
  if (lost_) {
    doom_ = Doom::by_participant;
    for (auto& savepoint : savepoints_) savepoint.doom = Doom::by_participant;
  }
}

void PhysicalTransaction::doom(Doom why) noexcept {
  auto& level = savepoints_.empty() ? doom_ : savepoints_.back().doom;
  if (level != Doom::asked) level = why;
}

void PhysicalTransaction::set_deadline(Clock::Steady deadline) noexcept {
  deadline_ = deadline;
  if (lease_) lease_->set_deadline(deadline);
}

}  // namespace carrel::session
