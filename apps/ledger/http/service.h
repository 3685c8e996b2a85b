// Service: the account service as a whole: listener, workers, both books, and the edge between.
//
//   Service service({.server = {.port = 8080}, .store = {.folder = "data"}});
//   service.start();                          // from here on requests are answered
//   ...
//   service.drain(SystemClock::get().steady_now() + 20s);
//
// Construction fails before anything is half done: first the port is taken, then the books are
// opened; requests that arrive meanwhile wait in the listener's backlog.
//
// Threads: construct, start, drain and destroy on one thread; the rest from any.
// Lifetime: the destructor cuts off what drain() left, and waits for workers to end their tasks.
// Errors: those of Server and open_store.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "carrel/scope/boundary.h"
#include "ledger/http/edge.h"
#include "ledger/http/server.h"
#include "ledger/posting/ledger.h"
#include "ledger/store/store.h"

namespace carrel::ledger::http {

struct ServiceOptions {
  ServerOptions server = {};
  StoreOptions store = {};
  LedgerOptions ledger = {};
  EdgeOptions edge = {};
  std::size_t workers = 16;  // most of them wait for a commit at any time
  std::size_t queue_max = 1024;
  BoundaryOptions boundary = {};
  std::vector<Endpoint> more_endpoints = {};  // asked before the service's own
};

class Service {
 public:
  explicit Service(ServiceOptions options);
  ~Service();

  void start();
  // True when every request under way was answered before the deadline.
  bool drain(Clock::Steady deadline);

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] ServerStats server_stats() const;
  // Values that requests left on worker threads since the start; 0 unless something is wrong.
  [[nodiscard]] std::uint64_t leftovers() const;
  // What /debug/threads shows.
  [[nodiscard]] std::string threads_json() const;
  // What /metrics answers.
  [[nodiscard]] std::string metrics_text() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace carrel::ledger::http
