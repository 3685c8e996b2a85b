#include "ledger/http/service.h"

#include <boost/json.hpp>
#include <iterator>

#include "carrel/pool/worker_pool.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/metrics.h"
#include "ledger/http/endpoints.h"
#include "ledger/http/keys_in_progress.h"

namespace carrel::ledger::http {

namespace json = boost::json;

// In order of construction: what is below may use what is above.
class Service::Parts {
 public:
  explicit Parts(ServiceOptions options)
      : server_(options.server),
        store_(open_store(options.store)),
        ledger_(*store_, options.ledger),
        filter_(store_->book()),
        router_(endpoints(std::move(options.more_endpoints))),
        workers_({.name = "requests",
                  .threads = options.workers,
                  .queue_max = options.queue_max,
                  .refusal = carrel::Refusal::refuse,
                  .boundary = std::move(options.boundary)}),
        edge_(std::move(options.edge), router_, filter_, workers_) {}

  ~Parts() { drain(Clock::Steady{}); }

  void start() {
    server_.start([this](Request request, Reply reply) {
      edge_.handle(std::move(request), std::move(reply));
    });
  }

  // The server first: after it, nobody hands requests to the edge any more.
  bool drain(Clock::Steady deadline) {
    const bool answered = server_.drain(deadline);
    return workers_.drain(deadline) && answered;
  }

  [[nodiscard]] const Server& server() const { return server_; }
  [[nodiscard]] std::uint64_t leftovers() const { return workers_.boundary().leftovers(); }
  [[nodiscard]] std::string threads_json() const;
  [[nodiscard]] std::string metrics_text() const;

 private:
  std::vector<Endpoint> endpoints(std::vector<Endpoint> first);
  void probe_storage();

  Server server_;
  std::unique_ptr<Store> store_;
  Ledger ledger_;
  KeysInProgress keys_;
  EntryFilter filter_;
  Router router_;
  WorkerPool workers_;
  Edge edge_;
};

std::vector<Endpoint> Service::Parts::endpoints(std::vector<Endpoint> all) {
  const auto append = [&](std::vector<Endpoint> group) {
    std::move(group.begin(), group.end(), std::back_inserter(all));
  };
  append(account_endpoints(ledger_));
  append(voucher_endpoints(ledger_, keys_));
  append(book_endpoints(ledger_));
  append(operations_endpoints({.threads = [this] { return threads_json(); },
                               .metrics = [this] { return metrics_text(); },
                               .probe_storage = [this] { probe_storage(); }}));
  return all;
}

void Service::Parts::probe_storage() {
  for (const Book book : kBooks) {
    const auto bound = store_->book().bind(book);
    static_cast<void>(ledger_.find_account({.ref = *AccountRef::parse("house/1002")}));
  }
}

std::string Service::Parts::threads_json() const {
  const ServerStats server = server_.stats();
  const auto workers = workers_.stats();
  return json::serialize(json::object{
      {"workers",
       {{"threads", workers.threads},
        {"running", workers.running},
        {"queued", workers.queued},
        {"done", workers.done},
        {"refused", workers.refused},
        {"wait_us_max",
         std::chrono::duration_cast<std::chrono::microseconds>(workers.wait_max).count()}}},
      {"boundary",
       {{"tasks", workers_.boundary().tasks()}, {"leftovers", workers_.boundary().leftovers()}}},
      {"keys_in_progress", keys_.size()},
      {"connections",
       {{"open", server.open},
        {"accepted", server.accepted},
        {"turned_away", server.turned_away},
        {"timed_out", server.timed_out},
        {"requests", server.requests}}},
      {"process", json::parse(to_json(inspect()))}});
}

std::string Service::Parts::metrics_text() const {
  const ServerStats server = server_.stats();
  const auto real = [](auto count) { return static_cast<double>(count); };
  MetricText text;
  collect_thread_values(text);
  collect(workers_, text);
  store_->collect(text);
  text.gauge({"carrel_http_connections", "Open connections."}, {}, real(server.open));
  text.counter({"carrel_http_connections_accepted_total", "Connections since the start."}, {},
               real(server.accepted));
  text.counter({"carrel_http_connections_refused_total", "Connections over the limit."}, {},
               real(server.turned_away));
  text.counter({"carrel_http_connections_timed_out_total", "Connections closed for being slow."},
               {}, real(server.timed_out));
  text.counter({"carrel_http_requests_total", "Requests since the start."}, {},
               real(server.requests));
  text.gauge({"carrel_idempotency_keys_in_progress", "Vouchers that are being booked."}, {},
             real(keys_.size()));
  return std::move(text).take();
}

Service::Service(ServiceOptions options) : parts_(std::make_unique<Parts>(std::move(options))) {}
Service::~Service() = default;

void Service::start() {
  parts_->start();
}
bool Service::drain(Clock::Steady deadline) {
  return parts_->drain(deadline);
}
std::uint16_t Service::port() const noexcept {
  return parts_->server().port();
}
ServerStats Service::server_stats() const {
  return parts_->server().stats();
}
std::uint64_t Service::leftovers() const {
  return parts_->leftovers();
}
std::string Service::threads_json() const {
  return parts_->threads_json();
}
std::string Service::metrics_text() const {
  return parts_->metrics_text();
}

}  // namespace carrel::ledger::http
