#include "ledger/http/edge.h"

#include <spdlog/logger.h>

#include "carrel/base/error.h"
#include "carrel/pool/worker_pool.h"
#include "ledger/http/failure.h"

namespace carrel::ledger::http {

// One request on its way. It answers when it dies, which for a request that ran on a worker is
// after its scope was closed and audited: who has the answer can rely on nothing being left behind.
struct Edge::Exchange {
  Exchange(Request received, Reply answer_by, Clock::Steady now)
      : request(std::move(received)), reply(std::move(answer_by)), arrived(now) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    if (response) std::move(reply)(std::move(*response));
  }

  Request request;
  Reply reply;
  Clock::Steady arrived;
  Target target;
  Match match;
  Admission admission;
  std::optional<Response> response;  // without one, the reply says that nothing was begun
};

void Edge::handle(Request request, Reply reply) noexcept {
  const auto exchange = std::make_shared<Exchange>(std::move(request), std::move(reply),
                                                   options_.clock->steady_now());
  if (std::optional<Problem> problem = admit(*exchange))
    finish(*exchange, std::move(*problem));
  else if (exchange->match.endpoint->runs == Runs::on_io_thread)
    run(*exchange);
  else
    hand_to_worker(exchange);
}

std::optional<Problem> Edge::admit(Exchange& exchange) {
  exchange.admission.request_id = EntryFilter::request_id_of(exchange.request);
  auto target = parse_target(exchange.request.target);
  if (!target)
    return Problem{.status = 400,
                   .code = "malformed_target",
                   .detail = "The request's target is not a valid path and query."};
  exchange.target = std::move(*target);
  exchange.match = router_.find(exchange.request.method, exchange.target);
  const Endpoint* endpoint = exchange.match.endpoint;
  if (endpoint == nullptr && exchange.match.allow.empty())
    return Problem{
        .status = 404, .code = "no_such_endpoint", .detail = "There is nothing at this path."};
  if (endpoint == nullptr)
    return Problem{.status = 405,
                   .code = "method_not_allowed",
                   .detail = "This path takes " + exchange.match.allow + ".",
                   .allow = exchange.match.allow};
  auto admission = EntryFilter::admit(exchange.request, exchange.target, *endpoint);
  if (auto* problem = std::get_if<Problem>(&admission)) return std::move(*problem);
  exchange.admission = std::get<Admission>(std::move(admission));
  return std::nullopt;
}

void Edge::hand_to_worker(const std::shared_ptr<Exchange>& exchange) {
  const Endpoint& endpoint = *exchange->match.endpoint;
  const auto wait_max =
      endpoint.wait_max.count() > 0 ? endpoint.wait_max : options_.request_wait_max;
  const ScopeOptions scope{.name = endpoint.name(),
                           .deadline = exchange->arrived + wait_max,
                           .trace = exchange->admission.trace,
                           .clock = options_.clock};
  const bool accepted = workers_.post(scope, [this, exchange] { run(*exchange); });
  if (!accepted)
    finish(*exchange, Problem{.status = 503,
                              .code = "overloaded",
                              .detail = "As many requests are waiting as may. Nothing happened; "
                                        "try again.",
                              .retry_after = std::chrono::seconds(1)});
}

void Edge::run(Exchange& exchange) {
  const Scope* scope = Scope::current();  // none on the I/O thread
  if (scope != nullptr && scope->expired())
    return finish(exchange, Problem{.status = 503,
                                    .code = "request_expired",
                                    .detail = "No worker was free in time. Nothing happened; try "
                                              "again.",
                                    .retry_after = std::chrono::seconds(1)});
  const std::string name = exchange.match.endpoint->name();
  try {
    return finish(exchange, call_handler(exchange));
  } catch (const Error& error) {
    if (options_.log)
      options_.log->log(error.retryable() ? spdlog::level::warn : spdlog::level::err,
                        "{} (request {}) failed: {}", name, exchange.admission.request_id,
                        error.describe());
    return finish(exchange, problem_of(error));
  } catch (const std::exception& error) {
    if (options_.log)
      options_.log->error("{} (request {}) failed: {}", name, exchange.admission.request_id,
                          error.what());
  } catch (...) {  // the edge answers whatever was thrown
    if (options_.log)
      options_.log->error("{} (request {}) failed: an exception of no known type", name,
                          exchange.admission.request_id);
  }
  finish(exchange, unexpected_problem());
}

Response Edge::call_handler(Exchange& exchange) {
  const Endpoint& endpoint = *exchange.match.endpoint;
  const Call call{.request = exchange.request,
                  .target = exchange.target,
                  .values = exchange.match.values,
                  .book = exchange.admission.book,
                  .request_id = exchange.admission.request_id};
  if (endpoint.runs == Runs::on_io_thread) return endpoint.handle(call);
  return filter_.run(exchange.admission, [&] { return endpoint.handle(call); });
}

void Edge::finish(Exchange& exchange, Problem problem) {
  problem.request_id = exchange.admission.request_id;
  if (exchange.admission.book) problem.book = to_string(*exchange.admission.book);
  finish(exchange, to_response(problem));
}

void Edge::finish(Exchange& exchange, Response response) {
  const Admission& admission = exchange.admission;
  response.headers.add("X-Request-Id", admission.request_id);
  if (admission.trace) {
    response.headers.add("traceparent", admission.trace->to_string());
    if (const TraceState& state = admission.trace->state; !state.empty())
      response.headers.add("tracestate", state.text());
  }
  if (admission.book) response.headers.add("X-Carrel-Book", to_string(*admission.book));
  if (options_.log && options_.log->should_log(spdlog::level::debug)) {
    const std::chrono::duration<double, std::milli> took =
        options_.clock->steady_now() - exchange.arrived;
    options_.log->debug("{} {} -> {} in {:.2f} ms (request {})", exchange.request.method,
                        exchange.request.target, response.status, took.count(),
                        admission.request_id);
  }
  response.body += '\n';  // people read answers in terminals
  exchange.response = std::move(response);
}

}  // namespace carrel::ledger::http
