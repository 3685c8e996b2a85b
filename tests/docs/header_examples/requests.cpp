// Examples of the headers in scope/ and pool/, word for word; those for coroutines stand beside.
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "carrel/pool/worker_pool.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/metrics.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/scope/snapshot.h"
#include "carrel/scope/spdlog.h"
#include "carrel/scope/trace_context.h"

namespace header_examples {

using namespace carrel;
using namespace std::chrono_literals;

struct Request {};
struct Response {
  std::string& body();
};
struct Image {};
struct Report {};
struct Uploader {
  void feed(std::string_view chunk);
};
// Pools and timers of somebody else.
struct ForeignPool {
  void submit(const std::function<void()>& task);
  void enqueue(const std::function<void()>& task);
};
struct Timer {
  void on_tick(const std::function<void()>& f);
};

void serve(const Request& request);
void answer_busy(const Request& request);
Report make_report();
void show(const Report& report);
void resize(Image& image);
void list_orders();
void send_mail(const std::string& caller);
void refresh_cache();
void send_header(std::string_view name, std::string_view value);

void scope(const Clock& clock, const Request& request) {
  Scope scope({.name = "POST /v1/vouchers", .deadline = clock.steady_now() + 2s});
  serve(request);
}

void suspended_scope(const RequestLocal<Uploader>& uploader, std::string_view chunk) {
  const auto scope = Scope::suspended({.name = "upload"});
  {
    Scope::Entry entry(*scope);
    uploader.get().feed(chunk);
  }
}

void request_local() {
  RequestLocal<std::string> tenant{"tenant"};
  {
    Scope scope({.name = "GET /orders"});
    tenant.set("acme");
    list_orders();
    const auto as_admin = tenant.bind("admin");
  }
}

const RequestLocal<std::string> caller{"caller"};

void snapshot(ForeignPool& pool, Timer& refresh_timer) {
  const Snapshot snapshot = Snapshot::capture();
  pool.enqueue(snapshot.wrap([] { send_mail(caller.get()); }));
  refresh_timer.on_tick(detach([] { refresh_cache(); }));
}

void trace_context(std::string_view traceparent, std::string_view tracestate) {
  const auto incoming = TraceContext::parse(traceparent, tracestate);
  const TraceContext mine = incoming ? incoming->child() : TraceContext::generate();
  const TraceContext call = mine.child();
  send_header("traceparent", call.to_string());
  if (!call.state.empty()) send_header("tracestate", call.state.text());
}

void boundary(ForeignPool& foreign_pool, Image& image) {
  Boundary boundary({.audit = AuditPolicy::clear});
  foreign_pool.submit([&] { boundary.run({.name = "resize"}, [&] { resize(image); }); });
  std::cout << boundary.leftovers() << " thread values left behind so far\n";
}

void inspection(Response& response) {
  const Inspection inspection = inspect();
  for (const InspectedThread& thread : inspection.threads)
    std::cout << thread.number << " holds " << thread.entries.size() << " values\n";
  response.body() = to_json(inspection);
}

void metrics(const Boundary& boundary, Response& response) {
  MetricText text;
  collect_thread_values(text);
  collect(boundary, "requests", text);
  response.body() = std::move(text).take();
}

void worker_pool(const Clock& clock, const Request& request) {
  WorkerPool pool({.name = "requests", .threads = 8});
  if (!pool.post({.name = "GET /orders"}, [request] { serve(request); })) answer_busy(request);
  Pending<Report> report = pool.submit({.name = "report"}, make_report);
  show(std::move(report).get());
  pool.drain(clock.steady_now() + 5s);
}

void scope_in_log_records(const std::shared_ptr<spdlog::logger>& logger,
                          const RequestLocal<std::string>& tenant) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  add_scope_flags(*formatter);
  add_request_local_flag<'K'>(*formatter, tenant);
  formatter->set_pattern("%T %l [%Q %q %K] %v");
  logger->set_formatter(std::move(formatter));
  logger->info("ok");
}

}  // namespace header_examples
