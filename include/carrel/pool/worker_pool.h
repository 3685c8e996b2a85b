// WorkerPool: threads that run tasks, each behind a boundary and in a scope of its own.
//
// Use it for the blocking half of a server: requests that wait for a database. It is Asio's thread
// pool with a bounded queue, a policy for when that is full, and an orderly end. Not for coroutines
// (scope_executor), and not needed where a pool exists already (Boundary goes around its tasks).
//
//   WorkerPool pool({.name = "requests", .threads = 8});
//   if (!pool.post({.name = "GET /orders"}, [request] { serve(request); })) answer_busy(request);
//   Pending<Report> report = pool.submit({.name = "report"}, make_report);
//   show(std::move(report).get());
//   pool.drain(clock.steady_now() + 5s);
//
// Workers inherit nothing of whoever makes the pool or posts to it; a Snapshot's wrap() takes a
// context along. A task that throws is counted, its exception goes to Pending::get() or to
// on_failure, and the worker goes on.
//
// Deadlocks are refused instead of entered: a task that would block on its own pool's full queue, a
// task that drains its own pool, one that waits for itself or for a task that waits for it, and the
// wait that would leave every worker waiting for the pool's own tasks, throw Error "pool.deadlock".
//
// Threads: everything is safe from any thread, the destructor from anywhere but the pool's own
// tasks, whether they run on a worker or in their caller.
// Lifetime: the destructor takes no more tasks, discards those still queued (their Pending::get()
// throws "pool.discarded") and waits for those that run. What a task made, scopes and snapshots
// included, may outlive the pool.
// Errors: submit() throws "pool.full" or "pool.closed", both retryable, where post() answers false.
// Without memory for the task both throw std::bad_alloc; it then does not run, and counts as
// refused.
#pragma once

#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "carrel/base/clock.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/metrics.h"

namespace carrel {

// What to do with a task when the queue is full.
enum class Refusal {
  block,          // wait for room
  refuse,         // say no
  run_in_caller,  // run it here and now, behind the same boundary: slows the caller down
};

struct WorkerPoolOptions {
  // Essential.
  std::string name = "pool";
  std::size_t threads = 0;  // 0: one for each core
  // Frequent.
  std::size_t queue_max = 1024;  // tasks accepted and not yet running; at least 1
  Refusal refusal = Refusal::refuse;
  // Rare.
  BoundaryOptions boundary = {};
  // Called where the task ran, with what a posted one threw. Empty: a line to stderr. What it
  // throws itself stops the program.
  std::function<void(const ScopeName& task, std::exception_ptr failure)> on_failure = {};
  const Clock* clock = &SystemClock::get();  // for waiting times; outlives the pool
};

struct WorkerPoolStatistics {
  std::size_t threads = 0;
  std::size_t queued = 0;                 // now
  std::size_t running = 0;                // now, on the pool's threads
  std::uint64_t done = 0;                 // ended without throwing
  std::uint64_t failed = 0;               // ended by throwing
  std::uint64_t refused = 0;              // full or closed
  std::uint64_t ran_in_caller = 0;        // of those done or failed
  std::uint64_t discarded = 0;            // queued when the pool was destroyed
  std::uint64_t started = 0;              // taken from the queue
  std::chrono::nanoseconds wait_total{};  // of those started, in the queue
  std::chrono::nanoseconds wait_max{};
};

template <class R>
class Pending;

namespace pool {

class Core;

// What a submitted task and its Pending share; guarded by the core's lock.
class Result {
 public:
  explicit Result(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  virtual ~Result() = default;

  // Throws "pool.deadlock", or what the task threw.
  void wait();
  [[nodiscard]] bool ready() const noexcept;

 private:
  friend class Core;
  std::shared_ptr<Core> core_;
  std::condition_variable settled_now_;
  bool settled_ = false;
  std::size_t workers_waiting_ = 0;
  const Result* waits_for_ = nullptr;  // what this one's task waits for
  std::exception_ptr failure_;
};

template <class R>
class ResultOf final : public Result {
 public:
  using Result::Result;
  std::optional<R> value;
};

// A task in the queue. Its function is destroyed at the end of run(): within the task's scope, and
// before the audit.
class Task {
 public:
  Task(const ScopeOptions& options, std::shared_ptr<Result> result)
      : options_(options), result_(std::move(result)) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;

  virtual void run() = 0;
  [[nodiscard]] const ScopeOptions& options() const noexcept { return options_; }
  // Null: nobody waits for it.
  [[nodiscard]] const std::shared_ptr<Result>& result() const noexcept { return result_; }

  Clock::Steady accepted;

 private:
  ScopeOptions options_;
  std::shared_ptr<Result> result_;
};

template <class F>
class PostedTask final : public Task {
 public:
  template <class G>
  PostedTask(const ScopeOptions& options, G&& f) : Task(options, nullptr), f_(std::forward<G>(f)) {}
  void run() override {
    F f = std::move(f_);
    std::invoke(f);
  }

 private:
  F f_;
};

template <class R>
using StoredResult = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

template <class R, class F>
class SubmittedTask final : public Task {
 public:
  template <class G>
  SubmittedTask(const ScopeOptions& options, const std::shared_ptr<ResultOf<StoredResult<R>>>& to,
                G&& f)
      : Task(options, to), value_(to->value), f_(std::forward<G>(f)) {}
  void run() override {
    F f = std::move(f_);
    if constexpr (std::is_void_v<R>) {
      std::invoke(f);
      value_.emplace();
    } else {
      value_.emplace(std::invoke(f));
    }
  }

 private:
  std::optional<StoredResult<R>>& value_;  // in the result, which the base keeps
  F f_;
};

}  // namespace pool

// The result of a submitted task, once. Dropping it abandons the result, not the task.
template <class R>
class [[nodiscard]] Pending {
  using ResultOf = pool::ResultOf<pool::StoredResult<R>>;

 public:
  [[nodiscard]] bool ready() const noexcept { return result_->ready(); }

  // Waits for the task, its audit included, and gives what it returned, or throws what it threw;
  // "pool.discarded" if it never ran, "pool.deadlock" if this is a worker of the same pool and the
  // last that is not waiting, or if the task waits, in the end, for this one.
  R get() && {
    result_->wait();
    if constexpr (!std::is_void_v<R>) return std::move(*result_->value);
  }

 private:
  friend class WorkerPool;
  explicit Pending(std::shared_ptr<ResultOf> result) : result_(std::move(result)) {}
  std::shared_ptr<ResultOf> result_;
};

class WorkerPool {
 public:
  explicit WorkerPool(WorkerPoolOptions options);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  // Has a worker run `task`, in a scope opened with `options` (named like the pool if nameless).
  // False: refused, because the queue is full or the pool is draining.
  template <std::invocable F>
  [[nodiscard]] bool post(const ScopeOptions& options, F&& task) {
    return accept(std::make_unique<pool::PostedTask<std::decay_t<F>>>(
               named(options), std::forward<F>(task))) == Answer::accepted;
  }

  // The same for a task whose result, or end, somebody waits for. Throws where post() says false.
  template <std::invocable F>
  auto submit(const ScopeOptions& options, F&& task) {
    using R = std::invoke_result_t<std::decay_t<F>&>;
    using Submitted = pool::SubmittedTask<R, std::decay_t<F>>;
    auto result = std::make_shared<pool::ResultOf<pool::StoredResult<R>>>(core_);
    require(accept(std::make_unique<Submitted>(named(options), result, std::forward<F>(task))));
    return Pending<R>(std::move(result));
  }

  // Takes no more tasks and waits until all accepted ones have ended. False: the deadline passed
  // first; the rest still runs, and drain() may be called again.
  bool drain(Clock::Steady deadline);

  [[nodiscard]] WorkerPoolStatistics stats() const;
  [[nodiscard]] const Boundary& boundary() const noexcept;
  [[nodiscard]] std::string_view name() const noexcept;

 private:
  enum class Answer { accepted, full, closed };

  [[nodiscard]] ScopeOptions named(ScopeOptions options) const;
  [[nodiscard]] Answer accept(std::unique_ptr<pool::Task> task);
  void require(Answer answer) const;

  std::shared_ptr<pool::Core> core_;
  class Threads;
  std::unique_ptr<Threads> threads_;
};

// carrel_pool_queue_length, _running, _started_total, _refused_total, _failed_total and
// _wait_seconds_total, each by pool; and those of its boundary, under the pool's name.
void collect(const WorkerPool& pool, MetricSink& sink);

}  // namespace carrel
