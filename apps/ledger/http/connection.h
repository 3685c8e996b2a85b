// Connection: one client's socket, from accept to close, as one coroutine on one I/O thread.
//
// Internal to the server; included by server.cpp and connection.cpp only, since it brings in Asio.
//
// Time: instead of arming a timer for every read, a connection notes its deadline, and the I/O
// thread's sweep expires those that are over. That costs a request nothing, and is late by one
// sweep at most.
#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>

#include "carrel/base/clock.h"
#include "carrel/base/ids.h"
#include "ledger/http/problem.h"
#include "ledger/http/server.h"

namespace carrel::ledger::http {

class Connection;

// What all I/O threads of a server share.
struct ServerState {
  ServerLimits limits;
  std::shared_ptr<spdlog::logger> log;
  Handler handler;  // set before the first I/O thread starts
  IdSource request_ids{SystemClock::get()};
  std::atomic<bool> draining{false};  // answer what is under way, then close
  std::atomic<bool> cut_off{false};   // call the handler no more
  std::atomic<std::uint64_t> accepted{0}, turned_away{0}, timed_out{0}, requests{0};

  std::mutex mutex;
  std::condition_variable all_closed;
  std::size_t open = 0;  // GUARDED_BY(mutex)
};

// One event loop and the connections that live on it. All members but `context` are touched by its
// own thread only.
struct IoThread {
  // One thread runs each context, so that its queue needs no lock among several runners.
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
      context.get_executor()};
  boost::asio::steady_timer sweep_timer{context};
  std::unordered_set<Connection*> connections;
  std::string date;  // the Date header's value, made once a second
  std::time_t date_of = 0;
  std::thread thread;
};

class Connection {
 public:
  Connection(boost::asio::ip::tcp::socket socket, ServerState& state, IoThread& home);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> turn_away();  // answers 503 without reading

  void expire_if_over(Clock::Steady now);
  void close_if_idle();
  void cut_off();

 private:
  enum class Phase { idle, reading, handling, writing, closing };
  enum class Next { another_request, close, linger };
  struct Incoming;
  struct Framing {
    bool keep_alive = false;
    bool say_keep_alive = false;  // HTTP/1.0 clients need it said
    bool without_body = false;    // the answer to HEAD
  };

  boost::asio::awaitable<Next> serve_one();
  boost::asio::awaitable<bool> read_some();
  boost::asio::awaitable<bool> read_header(Incoming& incoming);
  boost::asio::awaitable<bool> read_body(Incoming& incoming);
  boost::asio::awaitable<Response> dispatch(Request request);
  boost::asio::awaitable<bool> write(const Response& response, Framing framing);
  boost::asio::awaitable<Next> refuse(Problem problem);
  boost::asio::awaitable<void> linger();

  Request take_request(Incoming& incoming);
  std::string_view date();
  void arm(Phase phase, std::chrono::milliseconds wait_max);
  void disarm(Phase phase);

  boost::asio::ip::tcp::socket socket_;
  ServerState& state_;
  IoThread& home_;
  boost::beast::flat_buffer buffer_;
  std::string wire_;  // the answer being written; keeps its capacity
  Phase phase_ = Phase::idle;
  Clock::Steady deadline_ = Clock::Steady::max();
  bool expired_ = false;
};

}  // namespace carrel::ledger::http
