#include "carrel/pool/worker_pool.h"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <new>
#include <thread>
#include <vector>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "pool/core.h"

namespace carrel {

// Asio's pool, which keeps the queue. The threads are ours: where the system has no more of them,
// Asio's constructor waits for ever for those that it has started already.
class WorkerPool::Threads {
 public:
  explicit Threads(std::size_t count) : pool_(0) {
    try {
      workers_.reserve(count);
      while (workers_.size() < count) workers_.emplace_back([this] { pool_.attach(); });
    } catch (...) {
      pool_.stop();  // else their end, which comes next, would not
      throw;
    }
  }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
  ~Threads() = default;

  // Runs what is queued, which the core drops, and waits.
  void join() {
    pool_.wait();
    workers_.clear();
  }

  void post(std::shared_ptr<pool::Core> core, std::unique_ptr<pool::Task> task) {
    boost::asio::post(pool_, [core = std::move(core), task = std::move(task)]() mutable {
      core->run_on_worker(std::move(task));
    });
  }

 private:
  boost::asio::thread_pool pool_;
  std::vector<std::jthread> workers_;  // end before it does
};

WorkerPool::WorkerPool(WorkerPoolOptions options)
    : core_(std::make_shared<pool::Core>(std::move(options))),
      threads_(std::make_unique<Threads>(core_->options.threads)) {}

WorkerPool::~WorkerPool() {
  core_->discard_queued();
  threads_->join();  // tasks that still run may post, and be refused, meanwhile
}

ScopeOptions WorkerPool::named(ScopeOptions options) const {
  if (options.name.empty()) options.name = core_->options.name;
  return options;
}

WorkerPool::Answer WorkerPool::accept(std::unique_ptr<pool::Task> task) {
  using Admission = pool::Core::Admission;
  task->accepted = core_->options.clock->steady_now();
  switch (core_->admit()) {
    case Admission::queue:
      try {
        threads_->post(core_, std::move(task));
      } catch (const std::bad_alloc&) {  // else drain() would wait for it
        core_->take_back_admission();
        throw;
      }
      return Answer::accepted;
    case Admission::run_here:
      core_->run_in_caller(std::move(task));
      return Answer::accepted;
    case Admission::closed:
      return Answer::closed;
    case Admission::full:
      break;
  }
  return Answer::full;
}

void WorkerPool::require(Answer answer) const {
  const std::string pool = "pool '" + core_->options.name + "'";
  if (answer == Answer::full)
    throw Error("pool.full",
                pool + " has " + std::to_string(core_->options.queue_max) +
                    " tasks queued, and no room for another",
                {.retryable = true});
  if (answer == Answer::closed)
    throw Error("pool.closed", pool + " is draining and takes no more tasks", {.retryable = true});
}

bool WorkerPool::drain(Clock::Steady deadline) {
  return core_->drain(deadline);
}
WorkerPoolStatistics WorkerPool::stats() const {
  return core_->statistics();
}
const Boundary& WorkerPool::boundary() const noexcept {
  return core_->boundary;
}
std::string_view WorkerPool::name() const noexcept {
  return core_->options.name;
}

void collect(const WorkerPool& pool, MetricSink& sink) {
  const WorkerPoolStatistics stats = pool.stats();
  const std::array<std::pair<std::string_view, std::string_view>, 1> labels{
      {{"pool", pool.name()}}};
  const auto real = [](auto count) { return static_cast<double>(count); };
  sink.gauge({"carrel_pool_queue_length", "Tasks that wait for a worker."}, labels,
             real(stats.queued));
  sink.gauge({"carrel_pool_running", "Tasks that run on a worker."}, labels, real(stats.running));
  sink.counter({"carrel_pool_started_total", "Tasks that a worker has taken from the queue."},
               labels, real(stats.started));
  sink.counter({"carrel_pool_refused_total", "Tasks that found the queue full or closed."}, labels,
               real(stats.refused));
  sink.counter({"carrel_pool_failed_total", "Tasks that threw."}, labels, real(stats.failed));
  sink.counter({"carrel_pool_wait_seconds_total", "Time that started tasks spent in the queue."},
               labels, std::chrono::duration<double>(stats.wait_total).count());
  collect(pool.boundary(), pool.name(), sink);
}

}  // namespace carrel
