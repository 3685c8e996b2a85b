// Session::async_transaction: a transaction for a C++20 coroutine of Asio, which it does not block.
//
// Database clients block. A coroutine that called Session::transaction would keep its I/O thread
// from all others; awaiting this one, it is suspended while a worker runs the closure, and resumes
// where it was: same executor, same scope. Not for requests that have a worker of their own.
//
//   WorkerPool workers({.name = "database", .threads = 8});
//   auto balance = co_await session.async_transaction(workers, {.deadline = 2s}, [&] {
//     session.execute("update {account} set balance = balance - $1 where id = $2", amount, from);
//     return session.execute("select balance from {account} where id = $1", from)
//         .one().get<std::int64_t>(0);
//   });
//
// `workers` is a WorkerPool, or anything that has its submit(), or an Asio executor. The closure
// runs in the coroutine's scope: it reads, sets and removes the coroutine's RequestLocals. What it
// returns, a refusal included, is returned; what it throws is thrown; also what COMMIT throws.
//
// gcc 12 destroys twice what a lambda written inside a co_await captures by value: give such a
// closure a name first. Captures by reference, as above, are safe.
//
// The scope is away meanwhile (Scope::Loan): another branch of the coroutine that shares the scope
// and resumes in that time finds none ("no_scope").
//
// A full pool that blocks, or runs tasks in its caller, does so on the coroutine's I/O thread,
// which serves nobody meanwhile: use Refusal::refuse.
//
// Cancellation (through the coroutine's slot, of whatever type it lets through): before the closure
// has begun, it never runs; afterwards TransactionOptions::stop is asked for. Either way
// "sql.cancelled", and nothing is committed; a COMMIT that has been sent is waited for.
//
// Threads: as a coroutine. Lifetime: session and workers outlive the call; the coroutine's context
// outlives the workers' tasks (drain the workers first). The closure and what it holds die in the
// scope, before the coroutine resumes.
// Errors: as Session::transaction; "no_scope" outside a scope that can go from thread to thread
// (scope_executor); what submit() throws ("pool.full", "pool.closed"); "pool.discarded" where the
// workers ended before the closure began.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include "carrel/session/internal/async_call.h"
#include "carrel/session/session.h"

namespace carrel {
namespace session {

template <class Handler>
class ResumptionOf final : public Resumption {
 public:
  explicit ResumptionOf(Handler&& handler)
      : work_(boost::asio::get_associated_executor(handler)), handler_(std::move(handler)) {}

  [[nodiscard]] auto cancellation() const noexcept {
    return boost::asio::get_associated_cancellation_slot(handler_);
  }
  // The slot belongs to the coroutine's executor, so it is cleared there.
  void resume(std::exception_ptr failure) noexcept override {
    const auto executor = work_.get_executor();
    boost::asio::post(executor, [work = std::move(work_), handler = std::move(handler_),
                                 failure = std::move(failure)]() mutable {
      boost::asio::get_associated_cancellation_slot(handler).clear();
      std::move(handler)(failure);
    });
  }

 private:
  // Keeps the coroutine's context running meanwhile.
  boost::asio::executor_work_guard<boost::asio::associated_executor_t<Handler>> work_;
  Handler handler_;
};

template <class Workers, class F>
void submit_to(Workers& workers, const std::shared_ptr<AsyncCall<F>>& call) noexcept {
  // A pool that runs the task here opens a scope for it. Were that inside the coroutine's, the
  // closure would find it instead, and so would the coroutine, resumed elsewhere meanwhile.
  leave_carried_scope();
  try {
    if constexpr (boost::asio::execution::is_executor<std::remove_cv_t<Workers>>::value) {
      boost::asio::post(workers, Ticket<F>(call));
    } else {
      static_cast<void>(workers.submit({.name = call->name()}, Ticket<F>(call)));
    }
  } catch (...) {
    return call->give_up(std::current_exception());
  }
  call->accepted();
}

template <class Handler, class F>
void wait_for(const std::shared_ptr<AsyncCall<F>>& call, Handler&& handler) {
  auto resumption = std::make_unique<ResumptionOf<std::decay_t<Handler>>>(std::move(handler));
  if (auto slot = resumption->cancellation(); slot.is_connected()) {
    // Weak, since the slot lives in what the call keeps.
    slot.assign([weak = std::weak_ptr(call)](boost::asio::cancellation_type) {
      if (const auto alive = weak.lock()) alive->cancel();
    });
  }
  call->set_resumption(std::move(resumption));
}

// `Workers` is an lvalue's type for a pool, which is not copied, and an executor's own otherwise.
template <class Workers, class F>
boost::asio::awaitable<std::invoke_result_t<F&>> await_transaction(Session& session,
                                                                   Workers workers,
                                                                   TransactionOptions options,
                                                                   F closure) {
  const auto call = std::make_shared<AsyncCall<F>>(session, std::move(options), std::move(closure));
  auto initiation = [&call, &workers](auto&& handler) {
    // The coroutine may be resumed, and its frame gone, before submit_to() returns.
    const auto kept = call;
    Workers own = workers;
    wait_for(kept, std::move(handler));
    submit_to(own, kept);
  };
  auto resumed =
      boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(std::exception_ptr)>(
          initiation, boost::asio::use_awaitable);
  co_await std::move(resumed);
  co_return call->take();
}

}  // namespace session

template <class Workers, class F>
auto Session::async_transaction(Workers&& workers, const TransactionOptions& options, F&& closure) {
  using Plain = std::remove_cvref_t<Workers>;
  constexpr bool is_executor = boost::asio::execution::is_executor<Plain>::value;
  static_assert(is_executor || std::is_lvalue_reference_v<Workers>,
                "the pool of workers outlives the call");
  using Kept = std::conditional_t<is_executor, Plain, Workers>;
  return session::await_transaction<Kept, std::decay_t<F>>(*this, std::forward<Workers>(workers),
                                                           options, std::forward<F>(closure));
}

template <class Workers, class F>
auto Session::async_transaction(Workers&& workers, F&& closure) {
  return async_transaction(std::forward<Workers>(workers), TransactionOptions{},
                           std::forward<F>(closure));
}

}  // namespace carrel
