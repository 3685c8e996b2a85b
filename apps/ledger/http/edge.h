// Edge: takes each request from its socket to its handler and back, whatever happens on the way.
//
//   I/O thread: path and method -> endpoint; headers -> admission; or a problem at once
//   worker:     boundary opens the scope 'POST /v1/vouchers'; the entry filter binds; the handler
//               answers; whatever it throws becomes a problem; the scope closes and is audited
//
//   Edge edge({.log = log}, router, filter, workers);
//   server.start([&](Request request, Reply reply) {
//     edge.handle(std::move(request), std::move(reply));
//   });
//
// Threads: handle() from any, at once. Lifetime: router, filter and workers outlive the edge; the
// edge outlives every request that it was handed (drain the server, then the workers).
// Errors: handle() throws nothing; every request gets an answer.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "carrel/base/clock.h"
#include "ledger/http/entry_filter.h"
#include "ledger/http/message.h"
#include "ledger/http/problem.h"
#include "ledger/http/router.h"

namespace spdlog {
class logger;
}
namespace carrel {
class WorkerPool;
}

namespace carrel::ledger::http {

struct EdgeOptions {
  // From the last byte of a request: the deadline of its scope. One that still waits for a worker
  // then is not begun; one that waits for the database gives up.
  std::chrono::milliseconds request_wait_max{10'000};
  std::shared_ptr<spdlog::logger> log = nullptr;  // null: silent
  const Clock* clock = &SystemClock::get();
};

class Edge {
 public:
  Edge(EdgeOptions options, const Router& router, EntryFilter& filter, WorkerPool& workers)
      : options_(std::move(options)), router_(router), filter_(filter), workers_(workers) {}

  void handle(Request request, Reply reply) noexcept;

 private:
  struct Exchange;

  std::optional<Problem> admit(Exchange& exchange);
  void hand_to_worker(const std::shared_ptr<Exchange>& exchange);
  void run(Exchange& exchange);
  Response call_handler(Exchange& exchange);
  void finish(Exchange& exchange, Problem problem);
  void finish(Exchange& exchange, Response response);

  EdgeOptions options_;
  const Router& router_;
  EntryFilter& filter_;
  WorkerPool& workers_;
};

}  // namespace carrel::ledger::http
