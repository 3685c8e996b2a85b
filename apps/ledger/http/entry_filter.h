// EntryFilter: reads off a request who asks for which book, and binds it in the request's scope.
//
// admit() runs before a worker is asked for, so that a request without a book costs none. run()
// binds what was read for as long as the handler runs; nothing else in the service binds the book.
//
//   auto admission = filter.admit(request, target, endpoint);   // or a Problem
//   ... on the worker, inside the scope:
//   Response response = filter.run(admission, [&] { return endpoint.handle(call); });
//
// Threads: safe from any. Lifetime: the marker outlives the filter.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "carrel/scope/request_local.h"
#include "carrel/scope/trace_context.h"
#include "ledger/domain/book.h"
#include "ledger/http/problem.h"
#include "ledger/http/router.h"

namespace carrel::ledger {
class BookMarker;
}

namespace carrel::ledger::http {

struct Admission {
  std::string request_id = {};             // the client's, or the server's own
  std::optional<Book> book = {};           // of endpoints that need one
  std::optional<TraceContext> trace = {};  // the client's trace continued, or a new one
};

class EntryFilter {
 public:
  explicit EntryFilter(BookMarker& marker) : marker_(marker), request_id_("request_id") {}

  // X-Request-Id if it is 1 to 64 of letters, digits, '.', '_' and '-', else Request::id.
  [[nodiscard]] static std::string request_id_of(const Request& request);

  [[nodiscard]] static std::variant<Admission, Problem> admit(const Request& request,
                                                              const Target& target,
                                                              const Endpoint& endpoint);

  // Needs a scope. What `handle` throws comes out, with everything unbound again.
  Response run(const Admission& admission, const std::function<Response()>& handle);

 private:
  BookMarker& marker_;
  RequestLocal<std::string> request_id_;
};

}  // namespace carrel::ledger::http
