// Guide "Find what leaks": a boundary around the tasks of somebody else's thread pool.
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/metrics.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

namespace {

// A buffer of each worker's, which grows as its requests ask.
struct Buffer {
  std::vector<char> text;
};

}  // namespace

// What a buffer occupies; by default that would be sizeof(Buffer).
template <>
struct carrel::bytes_of<Buffer> {
  std::size_t operator()(const Buffer& buffer) const noexcept {
    return sizeof(buffer) + buffer.text.capacity();
  }
};

namespace {

// A server that has a thread pool of its own (here: Asio's) puts the boundary around what it runs.
class Server {
 public:
  explicit Server(carrel::BoundaryOptions options) : boundary_(std::move(options)) {}

  template <class F>
  void handle(std::string_view route, F task) {
    boost::asio::post(pool_, [this, name = carrel::ScopeName(route), task]() mutable {
      boundary_.run({.name = name}, task);
    });
  }
  // For work that goes on after the answer: it takes the request's context along, and is audited
  // like any task.
  template <class F>
  void later(F task) {
    boost::asio::post(pool_,
                      [this, task = carrel::Snapshot::capture().wrap(std::move(task))]() mutable {
                        boundary_.run({.name = "later"}, task);
                      });
  }

  void stop() { pool_.join(); }
  const carrel::Boundary& boundary() const { return boundary_; }

 private:
  carrel::Boundary boundary_;
  boost::asio::thread_pool pool_{2};
};

}  // namespace

int main() {
  carrel::ThreadLocal<std::string> tenant{{.name = "tenant"}};
  carrel::ThreadLocal<Buffer> buffer{
      {.name = "buffer", .lifetime = carrel::Lifetime::thread}};  // a cache, and says so

  std::mutex mutex;
  std::vector<std::string> found;
  Server server({.audit = carrel::AuditPolicy::clear,
                 .on_leftover = [&](std::span<const carrel::Leftover> leftovers) {
                   const std::scoped_lock lock(mutex);
                   for (const carrel::Leftover& left : leftovers)
                     found.push_back(left.task + " left " + left.variable);
                 }});
  server.handle("GET /good", [&] {
    Buffer& own = buffer.get();
    own.text.resize(4096);
    buffer.publish_bytes(carrel::bytes_of<Buffer>()(own));  // it has grown in its place
  });
  server.handle("GET /bad", [&] { tenant.set("acme"); });  // never removed
  const carrel::RequestLocal<std::string> caller{"caller"};
  std::string mailed_to;
  server.handle("POST /mail", [&] {
    caller.set("alice");
    server.later([&] { mailed_to = caller.get(); });
  });
  server.stop();

  for (const std::string& line : found) std::cout << line << '\n';  // GET /bad left tenant
  carrel::MetricText metrics;
  carrel::collect_thread_values(metrics);
  carrel::collect(server.boundary(), "server", metrics);
  std::cout << std::move(metrics).take();
  std::cout << carrel::to_json(carrel::inspect()) << '\n';
  const bool as_told =
      found == std::vector<std::string>{"GET /bad left tenant"} && mailed_to == "alice";
  return as_told ? EXIT_SUCCESS : EXIT_FAILURE;
}
