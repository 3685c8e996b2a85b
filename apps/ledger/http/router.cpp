#include "ledger/http/router.h"

#include <span>

#include "carrel/base/assert.h"

namespace carrel::ledger::http {
namespace {

using Segments = std::span<const std::string>;

bool is_placeholder(const std::string& segment) {
  return segment.front() == '{';
}
bool takes_two(const std::string& segment) {
  return segment.ends_with("+}");
}

bool fits(Segments pattern, Segments path, std::vector<std::string>& values) {
  if (pattern.empty() || path.empty()) return pattern.empty() && path.empty();
  if (!is_placeholder(pattern.front()))
    return pattern.front() == path.front() && fits(pattern.subspan(1), path.subspan(1), values);
  if (path.front().empty()) return false;
  values.push_back(path.front());
  if (fits(pattern.subspan(1), path.subspan(1), values)) return true;
  values.pop_back();
  if (!takes_two(pattern.front()) || path.size() < 2) return false;
  values.push_back(path[0] + "/" + path[1]);
  if (fits(pattern.subspan(1), path.subspan(2), values)) return true;
  values.pop_back();
  return false;
}

void add_method(std::string& allow, const std::string& method) {
  if (!allow.empty()) allow += ", ";
  allow += method;
  if (method == "GET") allow += ", HEAD";
}

}  // namespace

Router::Router(std::vector<Endpoint> endpoints) {
  for (Endpoint& endpoint : endpoints) {
    auto target = parse_target(endpoint.route);
    CARREL_ASSERT(target && endpoint.handle, "bad endpoint '" + endpoint.name() + "'");
    for (const std::string& segment : target->segments)
      CARREL_ASSERT(!segment.empty(), "empty segment in '" + endpoint.route + "'");
    routes_.push_back({std::move(endpoint), std::move(target->segments)});
  }
}

Match Router::find(std::string_view method, const Target& target) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  Match match;
  const std::vector<std::string>* shape = nullptr;  // of the first route that fits the path
  for (const Route& route : routes_) {
    if (shape != nullptr && route.pattern != *shape) continue;
    std::vector<std::string> values;
    if (!fits(route.pattern, target.segments, values)) continue;
    shape = &route.pattern;
    if (route.endpoint.method == wanted)
      return {.endpoint = &route.endpoint, .values = std::move(values)};
    add_method(match.allow, route.endpoint.method);
  }
  return match;
}

}  // namespace carrel::ledger::http
