// scope_executor: an Asio executor whose handlers run in one scope, so that a C++20 coroutine keeps
// its scope over every co_await, whichever thread resumes it.
//
// Use it for requests that are served by coroutines. Blocking handlers of a pool need only a
// Boundary. This is the one header of the scope layer that needs Boost.
//
//   awaitable<void> serve(tcp::socket socket) {
//     caller.set(co_await authenticate(socket));
//     co_await send_orders(socket, caller.get());  // its own, whichever thread has resumed it
//   }
//
//   const auto executor = scope_executor(pool.get_executor(), {.name = "GET /orders"});
//   co_spawn(executor, serve(std::move(socket)), detached);
//
// What keeps the scope is that the coroutine's handlers run on this executor. A completion token
// with another executor (bind_executor) resumes the coroutine without its scope until the next
// co_await. The two branches of `a() && b()` run at the same time: give each a scope of its own
// (in_derived_scope), or put a strand below. docs/guides/coroutines.md tells more.
//
// Threads: copies may be used by any thread; the executor below says whether handlers run at the
// same time, and a scope that two handlers use at the same time is found and stops the program.
// While the scope is lent (Scope::Loan), handlers run outside any scope.
// Lifetime: the scope closes when the last copy and the last handler are gone. A coroutine that is
// destroyed instead of resumed (its context shuts down) has no scope then: RequestLocal::find() is
// the way to ask, and bind guards and plain scopes in its frame end quietly.
// Errors: execute() passes on what the executor below throws.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "carrel/scope/scope.h"
#include "carrel/scope/snapshot.h"

namespace carrel {

// Spelled as Asio's own executors are.
class scope_executor {
  using Below = boost::asio::any_io_executor;

 public:
  // Runs handlers in `scope`, on the threads of `below`. A scope_executor, also one inside an
  // any_io_executor, is replaced and not nested: its scope has no part in the new one's handlers.
  template <std::convertible_to<boost::asio::any_io_executor> Executor>
  scope_executor(const Executor& below, std::shared_ptr<Scope> scope)
      : below_(unwrapped(below)), scope_(std::move(scope)) {}
  // The same with a new scope.
  template <std::convertible_to<boost::asio::any_io_executor> Executor>
  scope_executor(const Executor& below, const ScopeOptions& options)
      : scope_executor(below, Scope::suspended(options)) {}

  [[nodiscard]] const std::shared_ptr<Scope>& scope() const noexcept { return scope_; }

  // --- what Asio asks of an executor ---
  template <std::invocable F>
  void execute(F&& f) const {
    below_.execute(Handler<std::decay_t<F>>{scope_, std::forward<F>(f)});
  }

  template <class Property>
    requires boost::asio::can_query<const Below&, Property>::value
  [[nodiscard]] decltype(auto) query(const Property& property) const {
    return boost::asio::query(below_, property);
  }
  template <class Property>
    requires boost::asio::can_require<const Below&, Property>::value
  [[nodiscard]] scope_executor require(const Property& property) const {
    return {Exactly{}, boost::asio::require(below_, property), scope_};
  }
  template <class Property>
    requires boost::asio::can_prefer<const Below&, Property>::value
  [[nodiscard]] scope_executor prefer(const Property& property) const {
    return {Exactly{}, boost::asio::prefer(below_, property), scope_};
  }

  friend bool operator==(const scope_executor& a, const scope_executor& b) noexcept {
    return a.scope_ == b.scope_ && a.below_ == b.below_;
  }

 private:
  struct Exactly {};
  scope_executor(Exactly, Below below, std::shared_ptr<Scope> scope)
      : below_(std::move(below)), scope_(std::move(scope)) {}

  template <class F>
  struct Handler {
    std::shared_ptr<Scope> scope;
    F f;

    void operator()() {
      // Both outlive the entry: the coroutine may be gone, or running elsewhere, when f returns.
      const std::shared_ptr<Scope> entered = std::move(scope);
      if (entered->lent()) {
        const scope::OutsideAnyScope outside;
        return run();
      }
      const Scope::Entry entry(*entered);
      run();
    }

    void run() {
      F own = std::move(f);
      own();
    }
  };

  template <class Executor>
  static Below unwrapped(const Executor& executor) {
    if constexpr (std::same_as<Executor, scope_executor>) {
      return executor.below_;
    } else if constexpr (std::same_as<Executor, Below>) {
      const auto* const inner = executor.template target<scope_executor>();
      return inner == nullptr ? executor : inner->below_;
    } else {
      return executor;
    }
  }

  Below below_;
  std::shared_ptr<Scope> scope_;
};

// Runs handlers in a new scope that is derived from the current one (Snapshot): for a branch of
// work that goes on beside this one.
//
//   const auto executor = co_await boost::asio::this_coro::executor;
//   co_await (co_spawn(in_derived_scope(executor), left(), use_awaitable) &&
//             co_spawn(in_derived_scope(executor), right(), use_awaitable));
template <std::convertible_to<boost::asio::any_io_executor> Executor>
[[nodiscard]] scope_executor in_derived_scope(const Executor& below,
                                              const ScopeOptions& options = {}) {
  return scope_executor(below, Scope::suspended(Snapshot::capture(), options));
}

// Has `executor` (a boost::asio::thread_pool, its executor, a strand, ...) run `f` with this
// scope's context.
template <class Executor, class F>
void post_in_scope(Executor&& executor, F&& f) {
  boost::asio::post(std::forward<Executor>(executor), Snapshot::capture().wrap(std::forward<F>(f)));
}

}  // namespace carrel
