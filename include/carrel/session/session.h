// Session: runs SQL in the transaction of the current scope, which is found and not passed.
//
// Use it wherever a request touches the database: functions that run SQL take no connection, hold
// no lock, and a request keeps a connection only while a transaction needs one.
//
//   Session session({.routes = {{"consumer", &pool, {{"account", "consumer_account"}}}},
//                    .marker = [&] { return book.name(); }});
//   session.transaction([&] {                          // commits, or rolls back on a throw
//     session.execute("update {account} set balance = balance - $1 where id = $2", amount, from);
//     session.execute("update {account} set balance = balance + $1 where id = $2", amount, to);
//   });
//
// Inside a transaction the connection is taken at the first statement and kept until the end;
// outside one, each statement borrows it for itself. `{account}` names a table by slot; the current
// route, chosen by the marker, says which table that is. Text inside quotes and comments is never
// touched.
//
// transaction() returns what the closure returns. A returned refusal rolls back: a type opts in by
// a function `bool rolls_back(const R&)` beside it. set_rollback_only() rolls back too.
//
// Threads: one Session serves all; a transaction's closure runs on one thread from begin to end.
// Lifetime: the pools outlive the session, the session its transactions.
// Errors: SqlError; and Error with the codes "no_scope", "no_marker", "unknown_route",
// "unknown_slot", "route_changed", "no_shard_key", "unknown_bucket", "shard_key_changed",
// "no_transaction", "transaction_exists", "rollback_only", "rolled_back", "would_deadlock",
// "isolation_mismatch", "invalid_place", "read_only_mismatch", "pool.timeout". When in_doubt(), the
// commit may or may not have happened.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "carrel/db/connection.h"
#include "carrel/db/result.h"
#include "carrel/db/sql_error.h"
#include "carrel/db/value.h"
#include "carrel/session/transaction.h"

namespace carrel {

// A result that can say "no": found by argument-dependent lookup.
template <class R>
concept Refusable = requires(const R& result) {
  { rolls_back(result) } -> std::convertible_to<bool>;
};

// Statements to be sent together. Copies its parameters, also the elements of an Array.
class Batch {
 public:
  Batch() = default;
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;
  Batch(const Batch&) = delete;  // values_ point into what follows them
  Batch& operator=(const Batch&) = delete;

  template <class... Parameters>
  Batch& add(const Statement& sql, const Parameters&... parameters) & {
    const std::array<Value, sizeof...(Parameters)> values{Value(parameters)...};
    return add_values(sql, values);
  }
  template <class... Parameters>
  Batch&& add(const Statement& sql, const Parameters&... parameters) && {
    return std::move(add(sql, parameters...));
  }
  Batch& add_values(const Statement& sql, std::span<const Value> parameters);
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  friend class Session;
  struct KeptArray {
    explicit KeptArray(const Array& from);

    std::string bytes;  // of texts and the like, which elements point into
    std::vector<Value> elements;
    Array array;
  };
  [[nodiscard]] Value kept(const Value& value);

  struct Entry {
    std::string sql;
    Leaves leaves;
    std::size_t first;
    std::size_t count;
  };
  std::vector<Entry> entries_;
  std::vector<Value> values_;
  // Values point into these, whose elements stay where they are.
  std::deque<std::string> texts_;
  std::forward_list<KeptArray> arrays_;
};

class Session {
 public:
  explicit Session(SessionOptions options);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  template <class F>
  std::invoke_result_t<F&> transaction(const TransactionOptions& options, F&& closure);
  template <class F>
  std::invoke_result_t<F&> transaction(F&& closure) {
    return transaction(TransactionOptions{}, std::forward<F>(closure));
  }

  // The same for a coroutine, which it does not block: a worker runs the closure. Defined in
  // carrel/session/async_transaction.h, which see.
  template <class Workers, class F>
  [[nodiscard]] auto async_transaction(Workers&& workers, const TransactionOptions& options,
                                       F&& closure);
  template <class Workers, class F>
  [[nodiscard]] auto async_transaction(Workers&& workers, F&& closure);

  // One statement. Parameters are whatever Value can be made of. A call of a function that the
  // driver does not know costs a round trip or two when the connection is returned, unless it is
  // said what it leaves in the session (see Leaves): {"select post_voucher($1)", Leaves::nothing}.
  template <class... Parameters>
  Result execute(const Statement& sql, const Parameters&... parameters) {
    const std::array<Value, sizeof...(Parameters)> values{Value(parameters)...};
    return execute_values(sql, values);
  }
  Result execute_values(const Statement& sql, std::span<const Value> parameters);

  // Inside a transaction: all statements in as few round trips as can be. Outside: as one
  // transaction of its own, BEGIN and COMMIT riding along.
  std::vector<Result> batch(const Batch& batch);

  // Many rows into one table, by the fastest means the database has. `table` is a slot's name
  // without braces. Outside a transaction it is one of its own.
  std::int64_t load(std::string_view table, std::span<const std::string_view> columns,
                    std::span<const Value> values);

  // One transaction over several databases: all or none, by two-phase commit (PostgreSQL;
  // SessionOptions::two_phase). Each branch binds the marker or key of its database and runs its
  // statements there; they run in order, and the last one's database decides:
  //
  //   session.together({.retry = Retry::conflicts(5)},
  //                    [&] { const auto bound = customer.bind(from); withdraw(session, amount); },
  //                    [&] { const auto bound = customer.bind(to); deposit(session, amount); });
  //
  // What a branch throws rolls all of them back, and so does set_rollback_only() in one. Throws as
  // transaction(); "transaction_exists" inside one, "no_two_phase" where the session was not told
  // how. All or none is not at once: for a moment one database may show its part and another not
  // yet. Rows that were changed stay locked from the first phase to the end of the second, also
  // while this process or a database is away: see recover().
  template <class... Branches>
  Together together(const TransactionOptions& options, Branches&&... branches) {
    const std::array<std::function<void()>, sizeof...(Branches)> all{std::ref(branches)...};
    return run_together(options, all);
  }

  // Finishes what any process of this application (SessionOptions::two_phase, `name`) has left
  // prepared: commits what its log says was decided, rolls the rest back. Call it at start, and
  // every minute or so; at any time, by several at once, also while together() runs elsewhere,
  // which it waits for. Needs no scope. A database that cannot be reached is reported, not thrown.
  // Errors: "two_phase_disabled" where a server keeps no prepared transactions
  // (max_prepared_transactions is 0), "no_two_phase".
  Recovery recover(std::chrono::milliseconds wait_max = std::chrono::seconds(10));

  // The current transaction will roll back, whatever the closure returns. Statements after it throw
  // "rollback_only"; outside a transaction it throws "no_transaction".
  void set_rollback_only();
  [[nodiscard]] bool in_transaction() const noexcept;

  // Hooks of the current transaction ("no_transaction" outside one); in order of registration, also
  // one registered by another. before_commit runs inside the transaction, and what it throws rolls
  // back. The after_* ones run when the connection is back in the pool, outside any transaction;
  // what they throw goes to SessionOptions::on_hook_error. Hooks of a savepoint that was rolled
  // back count as rolled back.
  void before_commit(std::function<void()> hook);
  void after_commit(std::function<void()> hook);
  void after_rollback(std::function<void()> hook);
  void after_completion(std::function<void(Outcome)> hook);

 private:
  enum class Verdict : std::uint8_t { commit, roll_back };
  using Body = Verdict (*)(void* closure);
  class Core;

  void run(const TransactionOptions& options, Body body, void* closure);
  Together run_together(const TransactionOptions& options,
                        std::span<const std::function<void()>> branches);

  std::unique_ptr<Core> core_;
};

template <class F>
std::invoke_result_t<F&> Session::transaction(const TransactionOptions& options, F&& closure) {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    run(
        options,
        [](void* target) {
          std::invoke(*static_cast<std::remove_reference_t<F>*>(target));
          return Verdict::commit;
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(closure))));
  } else {
    static_assert(!std::is_reference_v<R>, "a transaction returns a value, not a reference");
    struct Call {
      std::remove_reference_t<F>& closure;
      std::optional<R> result;  // set anew by every attempt
    } call{closure, std::nullopt};
    run(
        options,
        [](void* target) {
          auto& self = *static_cast<Call*>(target);
          self.result.emplace(std::invoke(self.closure));
          if constexpr (Refusable<R>) {
            if (rolls_back(*self.result)) return Verdict::roll_back;
          }
          return Verdict::commit;
        },
        &call);
    return std::move(*call.result);
  }
}

// For PoolOptions::label: the current scope's name, or nothing outside one.
[[nodiscard]] std::string_view scope_label() noexcept;

}  // namespace carrel
