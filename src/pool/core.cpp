#include "pool/core.h"

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "scope/exception_text.h"

namespace carrel::pool {
namespace {

// The pool whose worker this thread is. A task that runs in its caller does not change it.
constinit thread_local const Core* pool_of_this_worker = nullptr;

}  // namespace

// A task that runs on this thread, until all of it is over. A list: where tasks run in their
// callers, one runs within another.
class Core::Running {
 public:
  Running(const Core& pool, Result* result) noexcept
      : pool_(pool), result_(result), outer_(innermost_) {
    innermost_ = this;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { innermost_ = outer_; }

  // Whether one of the pool is running on this thread.
  [[nodiscard]] static bool is_of(const Core& pool) noexcept {
    const Running* task = innermost_;
    while (task != nullptr && &task->pool_ != &pool) task = task->outer_;
    return task != nullptr;
  }

  // With the pool's lock held. Whether `result` is, in the end, that of a task of this thread: its
  // own, or that of a task which waits for it.
  [[nodiscard]] static bool is_needed_for(const Core& pool, const Result& result) noexcept {
    for (const Result* needed = &result; needed != nullptr; needed = needed->waits_for_)
      for (const Running* task = innermost_; task != nullptr; task = task->outer_)
        if (&task->pool_ == &pool && task->result_ == needed) return true;
    return false;
  }
  // With the pool's lock held. This thread waits for `result`; nullptr: no more.
  static void wait_for(const Core& pool, const Result* result) noexcept {
    for (const Running* task = innermost_; task != nullptr; task = task->outer_)
      if (&task->pool_ == &pool && task->result_ != nullptr) task->result_->waits_for_ = result;
  }

 private:
  static constinit thread_local const Running* innermost_;
  const Core& pool_;
  Result* result_;  // null: nobody waits for it
  const Running* outer_;
};
constinit thread_local const Core::Running* Core::Running::innermost_ = nullptr;

namespace {

// Where there is no memory for it: std::bad_alloc.
std::exception_ptr discarded_error() noexcept {
  try {
    throw Error("pool.discarded", "the pool was destroyed before this task began",
                {.retryable = true});
  } catch (...) {  // the thread's entry: whoever waits for the task gets it
    return std::current_exception();
  }
}

WorkerPoolOptions completed(WorkerPoolOptions options) {
  if (options.threads == 0) options.threads = std::max(1U, std::thread::hardware_concurrency());
  options.queue_max = std::max<std::size_t>(1, options.queue_max);
  return options;
}

}  // namespace

Core::Core(WorkerPoolOptions given)
    : options(completed(std::move(given))), boundary(options.boundary) {
  figures_.threads = options.threads;
}

bool Core::on_own_worker() const noexcept {
  return pool_of_this_worker == this;
}

bool Core::in_own_task() const noexcept {
  return on_own_worker() || Running::is_of(*this);
}

Core::Admission Core::admit() {
  std::unique_lock lock(mutex_);
  const auto full = [this] { return figures_.queued >= options.queue_max; };
  if (!closed_ && full() && options.refusal == Refusal::block) {
    if (on_own_worker()) {
      lock.unlock();
      throw Error("pool.deadlock", "a task of " + quoted_name() +
                                       " would wait for room in the pool's own full queue");
    }
    room_.wait(lock, [&] { return closed_ || !full(); });
  }
  if (closed_) {
    ++figures_.refused;
    return Admission::closed;
  }
  if (!full()) {
    ++figures_.queued;
    return Admission::queue;
  }
  if (options.refusal == Refusal::run_in_caller) {
    ++in_callers_;
    return Admission::run_here;
  }
  ++figures_.refused;
  return Admission::full;
}

void Core::take_back_admission() noexcept {
  const std::scoped_lock lock(mutex_);
  --figures_.queued;
  ++figures_.refused;
  room_.notify_one();
  if (is_idle()) idle_.notify_all();
}

void Core::run_on_worker(std::unique_ptr<Task> task) {
  pool_of_this_worker = this;
  const std::shared_ptr<Result> result = task->result();
  const Running here(*this, result.get());
  const Clock::Steady now = options.clock->steady_now();
  std::unique_lock lock(mutex_);
  --figures_.queued;
  if (discarding_) {
    ++figures_.discarded;
    lock.unlock();
    if (result == nullptr) return;
    std::exception_ptr error = discarded_error();
    lock.lock();
    settle(*result, std::move(error));
    return;
  }
  ++figures_.running;
  ++figures_.started;
  const std::chrono::nanoseconds waited = now - task->accepted;
  figures_.wait_total += waited;
  figures_.wait_max = std::max(figures_.wait_max, waited);
  lock.unlock();

  room_.notify_one();
  std::exception_ptr failure = run(*task);
  finish(std::move(task), std::move(failure), Place::worker);
}

void Core::run_in_caller(std::unique_ptr<Task> task) {
  const std::shared_ptr<Result> result = task->result();
  const Running here(*this, result.get());
  std::exception_ptr failure = run(*task);
  finish(std::move(task), std::move(failure), Place::caller);
}

std::exception_ptr Core::run(Task& task) {
  try {
    boundary.run(task.options(), [&task] { task.run(); });
  } catch (...) {  // the thread's entry: beyond this there is only the end of the process
    return std::current_exception();
  }
  return nullptr;
}

void Core::finish(std::unique_ptr<Task> task, std::exception_ptr failure, Place place) {
  const std::shared_ptr<Result> result = task->result();
  if (failure != nullptr && result == nullptr) report(*task, failure);
  task.reset();  // what it holds is gone before anybody may think that the pool is idle
  const std::scoped_lock lock(mutex_);
  ++(failure == nullptr ? figures_.done : figures_.failed);
  if (place == Place::caller) {
    --in_callers_;
    ++figures_.ran_in_caller;
  } else {
    --figures_.running;
  }
  if (result != nullptr) settle(*result, std::move(failure));
  if (is_idle()) idle_.notify_all();
}

// Nobody could be told what on_failure throws: neither the worker's loop, nor a caller who was
// promised an answer to post().
void Core::report(const Task& task, const std::exception_ptr& failure) const noexcept {
  if (options.on_failure) {
    options.on_failure(task.options().name, failure);
    return;
  }
  const std::string_view name = task.options().name;
  try {
    std::rethrow_exception(failure);
  } catch (...) {  // the thread's entry, which says what nobody takes
    std::fprintf(stderr, "carrel: task '%.*s' of pool '%s' failed: %s\n",
                 static_cast<int>(name.size()), name.data(), options.name.c_str(),
                 scope::text_of_current_exception());
  }
}

bool Core::drain(Clock::Steady deadline) {
  if (in_own_task())
    throw Error("pool.deadlock", "a task of " + quoted_name() + " would wait for its own end");
  std::unique_lock lock(mutex_);
  closed_ = true;
  room_.notify_all();
  return idle_.wait_until(lock, deadline, [this] { return is_idle(); });
}

void Core::discard_queued() {
  CARREL_ASSERT(!in_own_task(), quoted_name() + " destroyed by one of its own tasks");
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  discarding_ = true;
  room_.notify_all();
}

void Core::wait_for(Result& result) {
  std::unique_lock lock(mutex_);
  if (!result.settled_) {
    if (Running::is_needed_for(*this, result)) {
      lock.unlock();
      throw Error("pool.deadlock", "a task of " + quoted_name() +
                                       " would wait for itself, or for one that waits for it");
    }
    if (on_own_worker()) {
      if (workers_waiting_ + 1 >= options.threads) {
        lock.unlock();
        throw Error("pool.deadlock",
                    "all " + std::to_string(options.threads) + " workers of " + quoted_name() +
                        " would wait for tasks of the pool, and none would run them");
      }
      ++workers_waiting_;
      ++result.workers_waiting_;
    }
    Running::wait_for(*this, &result);
    result.settled_now_.wait(lock, [&result] { return result.settled_; });
    Running::wait_for(*this, nullptr);
  }
  if (result.failure_ != nullptr) std::rethrow_exception(result.failure_);
}

void Core::settle(Result& result, std::exception_ptr failure) noexcept {
  result.settled_ = true;
  result.failure_ = std::move(failure);
  // Counted here and not by those who wake up: they wait no more, though they may not run yet.
  workers_waiting_ -= std::exchange(result.workers_waiting_, 0);
  result.settled_now_.notify_all();
}

bool Core::settled(const Result& result) const noexcept {
  const std::scoped_lock lock(mutex_);
  return result.settled_;
}

WorkerPoolStatistics Core::statistics() const {
  const std::scoped_lock lock(mutex_);
  return figures_;
}

void Result::wait() {
  core_->wait_for(*this);
}
bool Result::ready() const noexcept {
  return core_->settled(*this);
}
}  // namespace carrel::pool
