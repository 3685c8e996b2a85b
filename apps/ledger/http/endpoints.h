// The table of endpoints: one function per group, each a list of Endpoints over the Ledger.
//
// To add an endpoint, write its handler beside its like, put a line into that group's list, and
// describe it in docs/reference/http-api.md. Scope, book, errors, limits and logging are the
// edge's.
//
// Lifetime: ledger, keys and sources outlive the endpoints.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ledger/http/router.h"

namespace carrel::ledger {
class Ledger;
}

namespace carrel::ledger::http {

class KeysInProgress;

// What the operations endpoints ask of the running service; called on I/O threads and workers.
struct OperationsSources {
  std::function<std::string()> threads;  // JSON: what threads, pool and server are doing
  std::function<std::string()> metrics;  // the same figures in Prometheus' text format
  std::function<void()> probe_storage;   // throws Error if a book cannot be read
};

[[nodiscard]] std::vector<Endpoint> account_endpoints(Ledger& ledger);
[[nodiscard]] std::vector<Endpoint> voucher_endpoints(Ledger& ledger, KeysInProgress& keys);
[[nodiscard]] std::vector<Endpoint> book_endpoints(Ledger& ledger);
[[nodiscard]] std::vector<Endpoint> operations_endpoints(OperationsSources sources);

}  // namespace carrel::ledger::http
