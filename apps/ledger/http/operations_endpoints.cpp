#include "ledger/http/endpoints.h"

namespace carrel::ledger::http {

std::vector<Endpoint> operations_endpoints(OperationsSources sources) {
  return {
      {.method = "GET",
       .route = "/healthz",
       .needs = Needs::nothing,
       .runs = Runs::on_io_thread,
       .handle = [](const Call&) { return Response{.body = R"({"status":"ok"})"}; }},
      // Through a worker and down to both books' files, so that "ready" means served.
      {.method = "GET",
       .route = "/readyz",
       .needs = Needs::nothing,
       .handle =
           [probe = std::move(sources.probe_storage)](const Call&) {
             probe();
             return Response{.body = R"({"status":"ready"})"};
           }},
      {.method = "GET",
       .route = "/debug/threads",
       .needs = Needs::nothing,
       .runs = Runs::on_io_thread,
       .handle = [threads = std::move(sources.threads)](
                     const Call&) { return Response{.body = threads()}; }},
      {.method = "GET",
       .route = "/metrics",
       .needs = Needs::nothing,
       .runs = Runs::on_io_thread,
       .handle =
           [metrics = std::move(sources.metrics)](const Call&) {
             return Response{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                             .body = metrics()};
           }},
  };
}

}  // namespace carrel::ledger::http
