// AsyncCall: a transaction that a worker runs while a coroutine waits for it. Part of
// async_transaction.h, not for inclusion by itself; it knows no Boost.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <variant>

#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace carrel::session {

// The current scope, for another thread to enter; throws "no_scope" where it cannot.
[[nodiscard]] std::shared_ptr<Scope> carried_scope();
// This thread is in no scope any more, until the scope_executor that entered one leaves it.
void leave_carried_scope() noexcept;
[[nodiscard]] std::exception_ptr cancelled_before_begin();
[[nodiscard]] std::exception_ptr discarded_before_begin();

// How the coroutine goes on. The handler's type is Asio's own affair.
class Resumption {
 public:
  Resumption() = default;
  Resumption(const Resumption&) = delete;
  Resumption& operator=(const Resumption&) = delete;
  virtual ~Resumption() = default;
  virtual void resume(std::exception_ptr failure) noexcept = 0;
};

// What the coroutine, its worker and a cancellation share. Whoever claims it first ends it.
template <class F>
class AsyncCall {
 public:
  using R = std::invoke_result_t<F&>;

  AsyncCall(Session& session, TransactionOptions options, F&& closure)
      : session_(session),
        options_(std::move(options)),
        closure_(std::move(closure)),
        scope_(carried_scope()),
        loan_(std::in_place, scope_) {
    // A stop of the caller's own goes on to ours, so that either ends the transaction.
    if (options_.stop.stop_possible()) callers_.emplace(options_.stop, Forward{stop_});
    options_.stop = stop_.get_token();
  }
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;
  ~AsyncCall() = default;

  [[nodiscard]] ScopeName name() const noexcept { return scope_->name(); }
  // Before it is submitted.
  void set_resumption(std::unique_ptr<Resumption> resumption) noexcept {
    resumption_ = std::move(resumption);
  }

  // On a worker.
  void run() noexcept {
    if (!claim()) return;
    std::exception_ptr failure;
    {
      const Scope::Entry entry(*scope_);
      try {
        if constexpr (std::is_void_v<R>) {
          session_.transaction(options_, *closure_);
        } else {
          result_.emplace(session_.transaction(options_, *closure_));
        }
      } catch (...) {
        failure = std::current_exception();
      }
      closure_.reset();
    }
    end(std::move(failure));
  }

  // The closure does not run any more, unless it has begun.
  void give_up(std::exception_ptr why) noexcept {
    if (!claim()) return;
    {
      const Scope::Entry entry(*scope_);
      closure_.reset();
    }
    end(std::move(why));
  }
  void cancel() noexcept {
    stop_.request_stop();
    give_up(cancelled_before_begin());
  }

  // The worker's task was destroyed unrun. While submit() is under way, its own error says why.
  void drop() noexcept {
    if (submission_.exchange(Submission::dropped) == Submission::accepted)
      give_up(discarded_before_begin());
  }
  void accepted() noexcept {
    if (submission_.exchange(Submission::accepted) == Submission::dropped)
      give_up(discarded_before_begin());
  }

  R take() {
    if constexpr (!std::is_void_v<R>) return std::move(*result_);
  }

 private:
  enum class Submission : std::uint8_t { under_way, accepted, dropped };
  struct Forward {
    std::stop_source to;
    void operator()() noexcept { to.request_stop(); }
  };

  [[nodiscard]] bool claim() noexcept { return !claimed_.exchange(true); }
  // All that is the scope's is let go before the coroutine can resume.
  void end(std::exception_ptr failure) noexcept {
    callers_.reset();
    loan_.reset();
    scope_.reset();
    const auto resumption = std::move(resumption_);
    resumption->resume(std::move(failure));
  }

  Session& session_;
  TransactionOptions options_;
  std::optional<F> closure_;
  std::shared_ptr<Scope> scope_;
  std::optional<Scope::Loan> loan_;
  std::unique_ptr<Resumption> resumption_;
  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> result_;
  std::stop_source stop_;
  std::optional<std::stop_callback<Forward>> callers_;
  std::atomic<bool> claimed_{false};
  std::atomic<Submission> submission_{Submission::under_way};
};

// A worker's one chance to run a call; tells the call when it dies unused.
template <class F>
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<AsyncCall<F>> call) noexcept : call_(std::move(call)) {}
  Ticket(Ticket&&) noexcept = default;
  Ticket& operator=(Ticket&&) = delete;
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() {
    if (call_) call_->drop();
  }
  void operator()() { std::exchange(call_, nullptr)->run(); }

 private:
  std::shared_ptr<AsyncCall<F>> call_;
};

}  // namespace carrel::session
