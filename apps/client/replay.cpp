// The only file of the client that knows Asio and Beast; both are slow to compile.
#include "client/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <csignal>
#include <exception>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "carrel/base/error.h"
#include "client/answer.h"

namespace carrel::client {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kTick = 100ms;
constexpr auto kPauseFirst = 50ms;
constexpr auto kPauseLongest = 1000ms;
constexpr auto kConnectWithin = 5s;
constexpr std::size_t kAnswerSizeMax = 1 << 20;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);  // error codes, not exceptions

struct Connection {
  explicit Connection(asio::io_context& context) : socket(context) {}

  tcp::socket socket;
  boost::beast::flat_buffer buffer;
  SteadyClock::time_point deadline = SteadyClock::time_point::max();
  bool timed_out = false;

  void close() {
    error_code ignored;  // the connection is being given up; nothing can be done about it
    socket.close(ignored);
    buffer.clear();
  }
};

struct Broken {
  std::string reason;
};

std::string request_of(const Operation& operation, const std::string& authority) {
  const std::string body = body_of(operation);
  return fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: carrel-load\r\nX-Carrel-Book: {}\r\n"
      "{}{}{}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      target_of(operation), authority, name_of(operation.book),
      operation.key.empty() ? "" : "Idempotency-Key: ", operation.key,
      operation.key.empty() ? "" : "\r\n", body.size(), body);
}

class Replay {
 public:
  Replay(Schedule& schedule, const ReplayOptions& options, ReplayObserver& observer)
      : schedule_(schedule),
        options_(options),
        observer_(observer),
        authority_(options.server.authority()),
        idle_(context_, SteadyClock::time_point::max()),
        ticker_(context_),
        signals_(context_, SIGINT, SIGTERM) {}

  LoadReport run();

 private:
  asio::awaitable<void> drive(Connection& connection);
  asio::awaitable<const Operation*> next_operation();
  // Nothing when the replay ended before a definite answer came.
  asio::awaitable<std::optional<Outcome>> settle(Connection& connection,
                                                 const Operation& operation);
  asio::awaitable<std::variant<Answer, Broken>> exchange(Connection& connection,
                                                         const std::string& request);
  asio::awaitable<std::optional<Broken>> connect(Connection& connection);
  asio::awaitable<void> pause(std::chrono::milliseconds duration);
  asio::awaitable<void> tick();
  asio::awaitable<void> watch_signals();

  void spawn(asio::awaitable<void> task);
  void end(Ending ending, std::string detail);
  [[nodiscard]] bool server_away() const;
  Broken broken(Connection& connection, const error_code& failure, std::string_view during);

  asio::io_context context_{1};
  Schedule& schedule_;
  const ReplayOptions& options_;
  ReplayObserver& observer_;
  const std::string authority_;
  tcp::resolver::results_type endpoints_;
  std::list<Connection> connections_;
  asio::steady_timer idle_;  // never expires: idle connections wait here to be woken by a cancel
  std::size_t idle_count_ = 0;
  std::size_t driving_ = 0;
  asio::steady_timer ticker_;
  asio::signal_set signals_;
  bool ending_ = false;
  SteadyClock::time_point started_ = SteadyClock::now();
  SteadyClock::time_point last_answer_ = started_;
  LoadReport report_;
};

LoadReport Replay::run() {
  error_code failure;
  endpoints_ = tcp::resolver(context_).resolve(options_.server.host, options_.server.port, failure);
  if (failure)
    throw Error("client.unknown_host", fmt::format("cannot find the host \"{}\": {}",
                                                   options_.server.host, failure.message()));
  report_.server = options_.server.url();
  report_.connections = options_.connections;
  for (std::size_t i = 0; i < options_.connections; ++i) {
    ++driving_;
    spawn(drive(connections_.emplace_back(context_)));
  }
  spawn(tick());
  spawn(watch_signals());
  context_.run();
  report_.elapsed = SteadyClock::now() - started_;
  report_.first_unanswered_line = schedule_.first_unanswered_line();
  observer_.progressed(report_);
  return std::move(report_);
}

void Replay::spawn(asio::awaitable<void> task) {
  asio::co_spawn(context_, std::move(task), [](const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);  // leaves through context_.run()
  });
}

asio::awaitable<void> Replay::drive(Connection& connection) {
  while (const Operation* operation = co_await next_operation()) {
    const auto sent = SteadyClock::now();
    const std::optional<Outcome> outcome = co_await settle(connection, *operation);
    if (!outcome) break;
    report_.record(*operation, *outcome, SteadyClock::now() - sent);
    if (outcome->verdict == Verdict::accepted || outcome->verdict == Verdict::replayed)
      observer_.acknowledged(*operation);
    schedule_.complete(*operation);
  }
  connection.close();
  if (--driving_ > 0) co_return;
  ticker_.cancel();
  signals_.cancel();
}

asio::awaitable<const Operation*> Replay::next_operation() {
  while (!ending_) {
    if (const Operation* operation = schedule_.next()) {
      // Perhaps there is more to send than this: let one idle connection look, and so on.
      if (idle_count_ > 0) idle_.cancel_one();
      co_return operation;
    }
    if (schedule_.finished()) break;
    ++idle_count_;
    co_await idle_.async_wait(kAwait);
    --idle_count_;
  }
  idle_.cancel();
  co_return nullptr;
}

asio::awaitable<std::optional<Outcome>> Replay::settle(Connection& connection,
                                                       const Operation& operation) {
  const std::string request = request_of(operation, authority_);
  const auto patient_until = SteadyClock::now() + options_.patience;
  std::chrono::milliseconds backoff = kPauseFirst;
  for (unsigned faults = 0;;) {
    std::chrono::milliseconds wait = backoff;
    Outcome outcome;
    auto result = co_await exchange(connection, request);
    if (const auto* answer = std::get_if<Answer>(&result)) {
      last_answer_ = SteadyClock::now();
      Judgement judgement = judge(operation, *answer);
      if (judgement.next == Next::settle) co_return judgement.outcome;
      outcome = std::move(judgement.outcome);
      wait = std::max(wait, judgement.pause);
      if (judgement.next == Next::retry_fault) ++faults;
      if (judgement.next == Next::later) {
        report_.record_busy();
        if (last_answer_ > patient_until) co_return outcome;
      }
    } else {
      if (ending_) co_return std::nullopt;
      report_.record_broken();
      outcome.detail = std::get<Broken>(result).reason;
      if (server_away()) {
        end(Ending::server_away,
            fmt::format("no answer from {} for {:.0f} s ({})", options_.server.url(),
                        std::chrono::duration<double>(SteadyClock::now() - last_answer_).count(),
                        outcome.detail));
        co_return std::nullopt;
      }
      // A server that refuses connections has seen nothing: that costs patience, not tries.
      if (connection.socket.is_open()) ++faults;
      connection.close();
    }
    if (faults >= options_.tries_max) co_return outcome;
    co_await pause(wait);
    if (ending_) co_return std::nullopt;
    backoff = std::min<std::chrono::milliseconds>(backoff * 2, kPauseLongest);
  }
}

asio::awaitable<std::variant<Answer, Broken>> Replay::exchange(Connection& connection,
                                                               const std::string& request) {
  if (!connection.socket.is_open())
    if (auto failed = co_await connect(connection)) co_return *std::move(failed);

  connection.deadline = SteadyClock::now() + options_.answer_within;
  auto [write_failure, written] =
      co_await asio::async_write(connection.socket, asio::buffer(request), kAwait);
  if (write_failure) co_return broken(connection, write_failure, "sending");

  http::response_parser<http::string_body> parser;
  parser.body_limit(kAnswerSizeMax);
  auto [read_failure, read] =
      co_await http::async_read(connection.socket, connection.buffer, parser, kAwait);
  if (read_failure) co_return broken(connection, read_failure, "waiting for the answer");
  connection.deadline = SteadyClock::time_point::max();

  http::response<http::string_body> response = parser.release();
  Answer answer;
  answer.status = static_cast<int>(response.result_int());
  answer.retry_after = response[http::field::retry_after];
  answer.idempotency_replayed = response["Idempotency-Replayed"];
  answer.body = std::move(response.body());
  if (!response.keep_alive()) connection.close();
  co_return answer;
}

asio::awaitable<std::optional<Broken>> Replay::connect(Connection& connection) {
  connection.deadline = SteadyClock::now() + kConnectWithin;
  auto [failure, endpoint] = co_await asio::async_connect(connection.socket, endpoints_, kAwait);
  if (failure) {
    Broken reason = broken(connection, failure, "connecting");
    connection.close();
    co_return reason;
  }
  connection.deadline = SteadyClock::time_point::max();
  error_code ignored;  // without it small requests are only slower
  connection.socket.set_option(tcp::no_delay{true}, ignored);
  co_return std::nullopt;
}

Broken Replay::broken(Connection& connection, const error_code& failure, std::string_view during) {
  connection.deadline = SteadyClock::time_point::max();
  const bool timed_out = std::exchange(connection.timed_out, false);
  return {fmt::format("{} while {}", timed_out ? "time-out" : failure.message(), during)};
}

asio::awaitable<void> Replay::pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(context_, duration);
  co_await timer.async_wait(kAwait);
}

// Progress, and the time-outs of all connections: one timer instead of one per request.
asio::awaitable<void> Replay::tick() {
  while (driving_ > 0) {
    ticker_.expires_after(kTick);
    co_await ticker_.async_wait(kAwait);
    const auto now = SteadyClock::now();
    for (Connection& connection : connections_)
      if (now > connection.deadline) {
        connection.timed_out = true;
        error_code ignored;  // a socket that cannot be cancelled has already failed
        connection.socket.cancel(ignored);
      }
    report_.elapsed = now - started_;
    observer_.progressed(report_);
  }
}

asio::awaitable<void> Replay::watch_signals() {
  auto [failure, signal] = co_await signals_.async_wait(kAwait);
  if (failure) co_return;  // cancelled: the replay is over
  end(Ending::interrupted, "interrupted");
}

void Replay::end(Ending ending, std::string detail) {
  if (std::exchange(ending_, true)) return;
  report_.ending = ending;
  report_.ending_detail = std::move(detail);
  idle_.cancel();
}

bool Replay::server_away() const {
  return SteadyClock::now() - last_answer_ > options_.patience;
}

}  // namespace

LoadReport replay(Schedule& schedule, const ReplayOptions& options, ReplayObserver& observer) {
  return Replay(schedule, options, observer).run();
}

}  // namespace carrel::client
