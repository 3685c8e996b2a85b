#include "session/session_core.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/later.h"
#include "carrel/db/sql_error.h"
#include "carrel/scope/scope.h"
#include "db/sql_scanner.h"
#include "session/statement_stop.h"
#include "session/two_phase.h"

namespace carrel {
namespace {

using session::Bound;
using session::Narrowed;
using session::PhysicalTransaction;
using session::Restored;
using session::Stoppable;
using session::throw_rolled_back;
using Doom = PhysicalTransaction::Doom;

// A call that promised to read, in a transaction that may write: whoever calls it counts on that.
class Reading : public Restored<Access> {
 public:
  Reading(Bound& bound, const PhysicalTransaction& current, const TransactionOptions& options)
      : Restored(bound.access,
                 options.read_only && !current.read_only() ? Access::read_only : bound.access) {}
};

void require_same_isolation(const PhysicalTransaction& current, const TransactionOptions& options) {
  if (options.isolation == Isolation::standard || options.isolation == current.isolation()) return;
  throw Error("isolation_mismatch",
              "the transaction that this call is part of has another isolation level");
}

void require_reading(const Bound& bound, const session::Resolved& statement) {
  if (bound.access == Access::read_write || statement.only_reads) return;
  throw Error("read_only_mismatch",
              "a call that said read_only may not write [in: " +
                  db::shape_of(statement.sql, statement.destination.route.pool->traits().dialect) +
                  "]");
}

bool commits(const TransactionOptions& options, const std::exception& thrown) {
  return options.commits_on != nullptr && options.commits_on(thrown);
}

void print_hook_error(const std::exception& error) {
  std::fprintf(stderr, "carrel: a hook after the end of a transaction threw: %s\n", error.what());
}

SessionOptions with_defaults(SessionOptions options) {
  if (!options.on_hook_error) options.on_hook_error = print_hook_error;
  if (!options.pause)
    options.pause = [](std::chrono::nanoseconds time) { std::this_thread::sleep_for(time); };
  return options;
}

}  // namespace

namespace session {

void throw_rolled_back() {
  throw Error("rolled_back",
              "an inner call failed and its failure was not passed on; nothing was committed");
}

}  // namespace session

Session::Core::Core(SessionOptions options)
    : options_(with_defaults(std::move(options))),
      router_(options_.routes, options_.marker, options_.statements_max, options_.shards) {
  if (options_.two_phase) session::require_sound(*options_.two_phase, router_.destinations());
}

BeginOptions Session::Core::begin_options(const Bound& bound,
                                          const TransactionOptions& options) noexcept {
  return {.isolation = options.isolation,
          .access = options.read_only ? Access::read_only : bound.access,
          .deferrable = options.deferrable};
}

Clock::Steady Session::Core::deadline_of(const Bound& bound, const TransactionOptions& options) {
  auto deadline = std::min(bound.deadline, Scope::current()->deadline().value_or(kNoDeadline));
  if (options.deadline) deadline = std::min(deadline, base::from_now(*options.deadline));
  return deadline;
}

void Session::Core::run(const TransactionOptions& options, Body body, void* closure) {
  auto& bound = bound_.get();
  auto* current = bound.current;
  switch (options.propagation) {
    case Propagation::required:
      return current != nullptr ? join(bound, *current, options, body, closure)
                                : run_new(bound, options, body, closure);
    case Propagation::requires_new: {
      const Restored<Access> access(bound.access, Access::read_write);
      return run_new(bound, options, body, closure);
    }
    case Propagation::nested:
      return current != nullptr ? run_nested(bound, *current, options, body, closure)
                                : run_new(bound, options, body, closure);
    case Propagation::supports:
      return current != nullptr ? join(bound, *current, options, body, closure)
                                : run_outside(bound, options, body, closure);
    case Propagation::not_supported:
      return run_outside(bound, options, body, closure);
    case Propagation::mandatory:
      return join(bound, require_transaction(), options, body, closure);
    case Propagation::never:
      if (current != nullptr)
        throw Error("transaction_exists", "this call must not run inside a transaction");
      return run_outside(bound, options, body, closure);
  }
}

void Session::Core::join(Bound& bound, PhysicalTransaction& current,
                         const TransactionOptions& options, Body body, void* closure) {
  require_same_isolation(current, options);
  const Reading reading(bound, current, options);
  const Narrowed narrowed(bound, current, deadline_of(bound, options));
  const Stoppable stop(bound, options.stop);
  session::require_not_stopped(bound.stop, "");
  try {
    if (body(closure) == Verdict::roll_back) {
      current.doom(Doom::by_participant);
    } else if (current.doom() == Doom::none) {
      session::require_not_stopped(bound.stop, "");
    }
  } catch (const std::exception& thrown) {
    if (bound.stop.stop_requested() || !commits(options, thrown))
      current.doom(Doom::by_participant);
    throw;
  } catch (...) {
    current.doom(Doom::by_participant);
    throw;
  }
}

void Session::Core::run_nested(Bound& bound, PhysicalTransaction& current,
                               const TransactionOptions& options, Body body, void* closure) {
  require_same_isolation(current, options);
  const Reading reading(bound, current, options);
  const Narrowed narrowed(bound, current, deadline_of(bound, options));
  const Stoppable stop(bound, options.stop);
  session::require_not_stopped(bound.stop, "savepoint");
  current.enter_savepoint();
  Verdict verdict = Verdict::roll_back;
  try {
    verdict = body(closure);
    if (verdict == Verdict::commit && current.doom() == Doom::none)
      session::require_not_stopped(bound.stop, "release savepoint");
  } catch (const std::exception& thrown) {
    if (commits(options, thrown) && current.doom() == Doom::none && !bound.stop.stop_requested()) {
      current.leave_savepoint();
    } else {
      current.roll_back_to_savepoint();
    }
    throw;
  } catch (...) {
    current.roll_back_to_savepoint();
    throw;
  }
  const auto doom = current.doom();
  if (verdict == Verdict::commit && doom == Doom::none) return current.leave_savepoint();
  current.roll_back_to_savepoint();
  if (verdict == Verdict::commit && doom == Doom::by_participant) throw_rolled_back();
}

void Session::Core::run_outside(Bound& bound, const TransactionOptions& options, Body body,
                                void* closure) {
  // Put aside, a transaction's calls say nothing of what runs beside it.
  const auto around = bound.current == nullptr ? bound.access : Access::read_write;
  const Restored<Access> access(bound.access, options.read_only ? Access::read_only : around);
  const Restored<PhysicalTransaction*> current(bound.current, nullptr);
  const Restored<Clock::Steady> deadline(bound.deadline, deadline_of(bound, options));
  const Stoppable stop(bound, options.stop);
  session::require_not_stopped(bound.stop, "");
  static_cast<void>(body(closure));
}

template <class Attempt>
std::invoke_result_t<Attempt&, Clock::Steady> Session::Core::retried(
    Bound& bound, const TransactionOptions& options, Attempt attempt) {
  const auto deadline = deadline_of(bound, options);
  const Stoppable stop(bound, options.stop);
  for (int number = 1;; ++number) {
    session::require_not_stopped(bound.stop, "begin");
    std::chrono::nanoseconds pause{};
    try {
      return attempt(deadline);
    } catch (const SqlError& error) {
      if (!error.conflict() || error.in_doubt() || number >= options.retry.attempts_max) throw;
      pause = pause_before(options.retry, number);
      if (deadline != kNoDeadline && Clock::Steady::clock::now() + pause >= deadline) throw;
    }
    options_.pause(pause);
  }
}

void Session::Core::run_new(Bound& bound, const TransactionOptions& options, Body body,
                            void* closure) {
  retried(bound, options,
          [&](Clock::Steady deadline) { attempt(bound, options, deadline, body, closure); });
}

Together Session::Core::together(const TransactionOptions& options,
                                 std::span<const std::function<void()>> branches) {
  if (!options_.two_phase) throw Error("no_two_phase", "the session was not told how");
  auto& bound = bound_.get();
  if (bound.current != nullptr)
    throw Error("transaction_exists", "a transaction over several databases joins none");
  return retried(bound, options, [&](Clock::Steady deadline) {
    return attempt_together(bound, options, deadline, branches);
  });
}

void Session::Core::attempt(Bound& bound, const TransactionOptions& options, Clock::Steady deadline,
                            Body body, void* closure) {
  PhysicalTransaction transaction(begin_options(bound, options), deadline, bound.stop);
  const Restored<Access> access(bound.access, Access::read_write);  // the database sees to it
  const Restored<PhysicalTransaction*> current(bound.current, &transaction);
  try {
    run_to_end(bound, transaction, options, body, closure);
  } catch (...) {
    transaction.roll_back();
    complete(bound, transaction);
    throw;
  }
  complete(bound, transaction);
}

// The closure, then COMMIT or ROLLBACK, as it and whoever joined it have said.
void Session::Core::run_to_end(Bound& bound, PhysicalTransaction& transaction,
                               const TransactionOptions& options, Body body, void* closure) {
  const Restored<Clock::Steady> deadline(bound.deadline, transaction.deadline());
  Verdict verdict = Verdict::roll_back;
  try {
    verdict = body(closure);
  } catch (const std::exception& thrown) {
    if (commits(options, thrown)) conclude(transaction, Verdict::commit);
    throw;
  }
  conclude(transaction, verdict);
}

void Session::Core::conclude(PhysicalTransaction& transaction, Verdict verdict) {
  if (verdict == Verdict::commit && transaction.doom() == Doom::none)
    transaction.hooks().run_before_commit();
  // Asked again, since a hook may have doomed it.
  if (verdict == Verdict::commit && transaction.doom() == Doom::none) return transaction.commit();
  transaction.roll_back();
  if (verdict == Verdict::commit && transaction.doom() == Doom::by_participant) throw_rolled_back();
}

// What follows the end: the connection goes back first, and hooks find no transaction.
void Session::Core::complete(Bound& bound, PhysicalTransaction& transaction) {
  transaction.release();
  const Restored<PhysicalTransaction*> none(bound.current, nullptr);
  const Restored<session::Hooks*> completing(bound.completing, &transaction.hooks());
  const Restored<std::stop_token> unstopped(bound.stop, {});
  transaction.hooks().run_after(transaction.outcome(), options_.on_hook_error);
}

std::chrono::nanoseconds Session::Core::pause_before(const Retry& retry, int attempt) noexcept {
  // As fractions, which "for ever" does not overflow; a hundred years is for ever.
  using Milliseconds = std::chrono::duration<double, std::milli>;
  const Milliseconds doubled = Milliseconds(retry.first_pause) * (1 << std::min(attempt - 1, 10));
  const Milliseconds countable = std::chrono::hours(24 * 365 * 100);
  const auto longest = std::min({doubled, Milliseconds(retry.pause_max), countable});
  // Between half and the whole of it, so that two that lost against each other part.
  auto z = jitter_state_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  const double share = 0.5 + static_cast<double>(z >> 11) * 0x1.0p-54;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(longest * share);
}

session::Pause Session::Core::pause_within() {
  return [this](int number, Clock::Steady until) {
    const auto left = until - Clock::Steady::clock::now();
    if (left.count() > 0)
      options_.pause(std::min<std::chrono::nanoseconds>(pause_before({}, number), left));
  };
}

PhysicalTransaction& Session::Core::require_transaction() {
  if (auto* current = bound_.get().current) return *current;
  throw Error("no_transaction", "this call needs the caller's transaction, and there is none");
}

// Hooks that run now may add others for the same end.
session::Hooks& Session::Core::hooks_to_complete() {
  const auto& bound = bound_.get();
  if (bound.current == nullptr && bound.completing != nullptr) return *bound.completing;
  return require_transaction().hooks();
}

Result Session::Core::execute(const Statement& sql, std::span<const Value> parameters) {
  const auto& bound = bound_.get();
  const auto statement = router_.resolve(sql.text);
  require_reading(bound, *statement);
  if (bound.current != nullptr) {
    bound.current->keep_to(router_.key());
    return bound.current->execute(*statement, sql.leaves, parameters);
  }
  return execute_alone(bound, *statement, sql.leaves, parameters);
}

// Outside a transaction: a connection for just this statement.
Result Session::Core::execute_alone(const Bound& bound, const session::Resolved& statement,
                                    Leaves leaves, std::span<const Value> parameters) {
  const auto deadline = deadline_of(bound, {});
  const auto run = [&](Access access) {
    auto lease = statement.destination.borrow(
        {.access = access, .deadline = deadline, .stays_on_thread = true});
    lease->set_deadline(deadline);
    session::require_not_stopped(bound.stop, statement.sql);
    const session::StatementStop stop(bound.stop, *lease);
    return lease->execute(statement.statement(leaves), parameters);
  };
  const auto access = statement.access.load(std::memory_order_relaxed);
  if (access == Access::read_write) return run(access);
  try {
    return run(access);
  } catch (const SqlError& error) {
    if (error.code() != "sql.read_only") throw;
  }
  // The guess was wrong, and nothing has happened: this one writes.
  statement.access.store(Access::read_write, std::memory_order_relaxed);
  return run(Access::read_write);
}

std::vector<Result> Session::Core::batch(std::span<const Batch::Entry> entries,
                                         std::span<const Value> values) {
  if (entries.empty()) return {};
  std::vector<session::ResolvedRef> resolved;
  std::vector<BatchItem> items;
  for (const auto& entry : entries) {
    resolved.push_back(router_.resolve(entry.sql));
    items.push_back({.statement = resolved.back()->statement(entry.leaves),
                     .parameters = values.subspan(entry.first, entry.count)});
  }
  const auto& to = resolved.front()->destination;
  auto& bound = bound_.get();
  for (const auto& statement : resolved) require_reading(bound, *statement);
  if (bound.current != nullptr) {
    bound.current->keep_to(router_.key());
    return bound.current->batch(to, items);
  }

  struct Call {
    Bound& bound;
    const session::Destination& to;
    std::span<const BatchItem> items;
    std::vector<Result> results;
  } call{bound, to, items, {}};
  run_new(
      bound, {},
      [](void* target) {
        auto& self = *static_cast<Call*>(target);
        self.results = self.bound.current->batch_and_commit(self.to, self.items);
        return Verdict::commit;
      },
      &call);
  return std::move(call.results);
}

std::int64_t Session::Core::load(std::string_view table, std::span<const std::string_view> columns,
                                 std::span<const Value> values) {
  if (bound_.get().access == Access::read_only)
    throw Error("read_only_mismatch", "a call that said read_only may not load rows");
  struct Call {
    Core& core;
    std::string_view table;
    std::span<const std::string_view> columns;
    std::span<const Value> values;
    std::int64_t loaded;
  } call{*this, table, columns, values, 0};
  run(
      {},
      [](void* target) {
        auto& self = *static_cast<Call*>(target);
        const auto& to = self.core.router_.destination();
        const auto& name = session::Router::table(self.table, to, self.table);
        auto& transaction = self.core.require_transaction();
        transaction.keep_to(self.core.router_.key());
        self.loaded =
            transaction.load(to, {.table = name, .columns = self.columns, .values = self.values});
        return Verdict::commit;
      },
      &call);
  return call.loaded;
}

}  // namespace carrel
