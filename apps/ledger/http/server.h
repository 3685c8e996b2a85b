// Server: an HTTP/1.1 listener with limits on everything that a client may send or hold open.
//
// Use it to put a Handler behind a socket. It knows nothing of accounts, scopes or worker pools.
//
//   Server server({.port = 8080});                 // bound and listening, or throws
//   server.start([&](Request request, Reply reply) { edge.handle(std::move(request), ...); });
//   ...
//   server.drain(SystemClock::get().steady_now() + 10s);
//
// A connection is read, answered and timed on one I/O thread for its whole life; requests that a
// client pipelines are answered one after the other, in order. Requests that are no valid HTTP are
// answered with a problem document and the connection is closed.
//
// Threads: start() and drain() from the owner; port() and stats() from any thread. The handler runs
// on I/O threads and must not block; its Reply may be called on any thread.
// Lifetime: the destructor waits for every Reply that is still out, so whatever answers requests
// must be stopped, or able to finish, before the server is destroyed.
// Errors: the constructor throws Error "http.address_in_use", "http.address_forbidden",
// "http.address_invalid" or "http.listen_failed", all before anything was accepted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "carrel/base/clock.h"
#include "ledger/http/message.h"

namespace spdlog {
class logger;
}

namespace carrel::ledger::http {

struct ServerLimits {
  std::size_t connections_max = 1024;  // one more is answered 503 and closed
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 1024 * 1024;
  std::chrono::milliseconds header_wait_max{10'000};  // from the first byte to the blank line
  std::chrono::milliseconds body_wait_max{30'000};    // from the blank line to the last byte
  std::chrono::milliseconds idle_wait_max{75'000};    // between two requests
  std::chrono::milliseconds write_wait_max{30'000};   // for the client to take an answer
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free port
  std::size_t io_threads = 1;
  ServerLimits limits = {};
  std::shared_ptr<spdlog::logger> log = nullptr;  // null: silent
};

struct ServerStats {
  std::uint64_t accepted = 0;     // connections, since the start
  std::uint64_t turned_away = 0;  // connections over connections_max
  std::uint64_t timed_out = 0;    // connections closed for being slow or idle
  std::uint64_t requests = 0;     // handed to the handler
  std::size_t open = 0;           // connections now
};

class Server {
 public:
  explicit Server(ServerOptions options);
  ~Server();

  void start(Handler handler);

  // Accepts no more, closes idle connections, and waits until the requests under way are answered;
  // at the deadline it closes what is left. True when nothing had to be cut off. When it returns,
  // the handler is not called again.
  bool drain(Clock::Steady deadline);

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] ServerStats stats() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carrel::ledger::http
