// Router: the table of endpoints, searched by method and path.
//
// An endpoint says what it needs and where it runs; everything else about a request is checked in
// one place, the edge. A route's placeholder takes one segment of the path; "{name+}" takes one or
// two, since accounts are named "123" or "alice/2001". The first route that fits wins, so the more
// special ones stand first.
//
//   Router router({{.method = "GET", .route = "/v1/vouchers/{id}", .handle = show_voucher}});
//   const Match match = router.find("GET", *parse_target("/v1/vouchers/17"));
//   match.values == std::vector<std::string>{"17"};
//
// Threads: immutable once built. Lifetime: outlives the matches that it gave.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/domain/book.h"
#include "ledger/http/message.h"
#include "ledger/http/url.h"

namespace carrel::ledger::http {

// What a handler is given. Valid during the call only.
struct Call {
  const Request& request;
  const Target& target;
  const std::vector<std::string>& values;  // of the route's placeholders, in order
  std::optional<Book> book;                // what the endpoint needs; bound in the scope already
  const std::string& request_id;
};

enum class Runs {
  on_worker,     // in a scope of its own, behind the pool's boundary
  on_io_thread,  // at once, also when every worker is busy; must not block, has no scope
};
enum class Needs { nothing, book };  // book: the X-Carrel-Book header
enum class Takes { no_body, json };

struct Endpoint {
  std::string method;
  std::string route;
  Needs needs = Needs::book;
  Takes takes = Takes::no_body;
  Runs runs = Runs::on_worker;
  std::vector<std::string> query = {};  // the parameters that it knows; others are refused
  std::function<Response(const Call&)> handle;
  std::chrono::milliseconds wait_max{0};  // of a request, from its arrival; 0: the edge's own limit

  [[nodiscard]] std::string name() const { return method + " " + route; }
};

struct Match {
  const Endpoint* endpoint = nullptr;  // null: see allow
  std::vector<std::string> values = {};
  std::string allow = {};  // methods that the path has, "GET, HEAD"; empty: there is no such path
};

class Router {
 public:
  explicit Router(std::vector<Endpoint> endpoints);

  // HEAD finds what GET would.
  [[nodiscard]] Match find(std::string_view method, const Target& target) const;

 private:
  struct Route {
    Endpoint endpoint;
    std::vector<std::string> pattern;  // the route's segments
  };
  std::vector<Route> routes_;
};

}  // namespace carrel::ledger::http
