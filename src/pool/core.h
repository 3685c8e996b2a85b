// Core: the state of a worker pool, which its unclaimed results may outlive.
//
// Threads: everything under its one lock. Lifetime: shared by the pool, its threads and results.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "carrel/pool/worker_pool.h"

namespace carrel::pool {

class Core {
 public:
  enum class Admission { queue, run_here, full, closed };

  explicit Core(WorkerPoolOptions options);

  // Decides about one task; counts it as queued, running here or refused. May wait for room.
  [[nodiscard]] Admission admit();
  // The task that was to be queued could not be: nobody will run it.
  void take_back_admission() noexcept;
  // On a worker: runs the task, or drops it when the pool is being destroyed.
  void run_on_worker(std::unique_ptr<Task> task);
  // On whoever called post().
  void run_in_caller(std::unique_ptr<Task> task);

  // See WorkerPool::drain.
  bool drain(Clock::Steady deadline);
  // From now on queued tasks are dropped instead of run.
  void discard_queued();

  void wait_for(Result& result);
  [[nodiscard]] bool settled(const Result& result) const noexcept;

  [[nodiscard]] bool on_own_worker() const noexcept;
  // On a worker, or within a task of this pool that runs in its caller.
  [[nodiscard]] bool in_own_task() const noexcept;
  [[nodiscard]] WorkerPoolStatistics statistics() const;

  const WorkerPoolOptions options;
  Boundary boundary;

 private:
  enum class Place { worker, caller };
  class Running;

  // Returns what the task threw.
  [[nodiscard]] std::exception_ptr run(Task& task);
  void finish(std::unique_ptr<Task> task, std::exception_ptr failure, Place place);
  void settle(Result& result, std::exception_ptr failure) noexcept;  // under the lock
  void report(const Task& task, const std::exception_ptr& failure) const noexcept;
  [[nodiscard]] bool is_idle() const noexcept {
    return figures_.queued + figures_.running + in_callers_ == 0;
  }
  [[nodiscard]] std::string quoted_name() const { return "pool '" + options.name + "'"; }

  mutable std::mutex mutex_;
  std::condition_variable room_;     // the queue has room, or the pool closes
  std::condition_variable idle_;     // nothing is queued or running
  WorkerPoolStatistics figures_;     // guarded by mutex_
  std::size_t in_callers_ = 0;       // guarded by mutex_: tasks that run in their callers
  std::size_t workers_waiting_ = 0;  // guarded by mutex_: for results of this pool
  bool closed_ = false;              // guarded by mutex_
  bool discarding_ = false;          // guarded by mutex_
};

}  // namespace carrel::pool
