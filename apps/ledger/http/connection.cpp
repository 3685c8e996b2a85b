#include "ledger/http/connection.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <ctime>
#include <optional>

namespace carrel::ledger::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using std::chrono::milliseconds;

namespace {

constexpr auto kErrorAsValue = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 8 * 1024;
constexpr std::size_t kKeptBytesMax = 64 * 1024;      // what an idle connection may hold on to
constexpr std::size_t kLingerBytesMax = 1024 * 1024;  // discarded after an early refusal
constexpr milliseconds kLingerWaitMax{1'000};

Problem problem_of(const beast::error_code& error, const ServerLimits& limits) {
  using Trouble = beast::http::error;
  if (error == Trouble::body_limit)
    return {
        .status = 413,
        .code = "body_too_large",
        .detail = "The body is larger than " + std::to_string(limits.body_bytes_max) + " bytes."};
  if (error == Trouble::header_limit || error == Trouble::buffer_overflow)
    return {.status = 431,
            .code = "headers_too_large",
            .detail = "Request line and headers are larger than " +
                      std::to_string(limits.header_bytes_max) + " bytes."};
  if (error == Trouble::bad_version)
    return {.status = 505,
            .code = "http_version_not_supported",
            .detail = "This server speaks HTTP/1.1 and HTTP/1.0."};
  return {.status = 400,
          .code = "malformed_http",
          .detail = "The request is not valid HTTP: " + error.message() + "."};
}

}  // namespace

struct Connection::Incoming {
  beast::http::request_parser<beast::http::string_body> parser;
  std::optional<Problem> problem;  // why reading stopped, if the client is to hear of it
};

Connection::Connection(asio::ip::tcp::socket socket, ServerState& state, IoThread& home)
    : socket_(std::move(socket)), state_(state), home_(home) {
  home_.connections.insert(this);
}

Connection::~Connection() {
  home_.connections.erase(this);
  const std::lock_guard lock(state_.mutex);
  if (--state_.open == 0) state_.all_closed.notify_all();
}

asio::awaitable<void> Connection::serve() {
  boost::system::error_code ignored;  // latency suffers without it, correctness does not
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  Next next = Next::another_request;
  while (next == Next::another_request) next = co_await serve_one();
  if (next == Next::linger) co_await linger();
}

asio::awaitable<void> Connection::turn_away() {
  Problem problem{.status = 503,
                  .code = "too_many_connections",
                  .detail =
                      "This server holds as many connections as it may. Nothing happened; "
                      "try again.",
                  .retry_after = std::chrono::seconds(1)};
  co_await refuse(std::move(problem));
  co_await linger();
}

asio::awaitable<Connection::Next> Connection::serve_one() {
  if (buffer_.size() == 0) {
    buffer_.shrink_to_fit();
    if (state_.draining) co_return Next::close;
    arm(Phase::idle, state_.limits.idle_wait_max);
    if (!co_await read_some()) co_return Next::close;
  }
  Incoming incoming;
  incoming.parser.header_limit(static_cast<std::uint32_t>(state_.limits.header_bytes_max));
  incoming.parser.body_limit(state_.limits.body_bytes_max);
  bool complete = co_await read_header(incoming);
  if (complete) complete = co_await read_body(incoming);
  if (!complete) {
    if (!incoming.problem) co_return Next::close;
    co_return co_await refuse(std::move(*incoming.problem));
  }
  if (state_.cut_off) co_return Next::close;

  const bool http_1_0 = incoming.parser.get().version() < 11;
  const bool wants_more = incoming.parser.get().keep_alive();
  Request request = take_request(incoming);
  const bool head = request.method == "HEAD";
  disarm(Phase::handling);
  state_.requests.fetch_add(1, std::memory_order_relaxed);
  const Response response = co_await dispatch(std::move(request));

  const bool keep = wants_more && !state_.draining;
  const Framing framing{
      .keep_alive = keep, .say_keep_alive = keep && http_1_0, .without_body = head};
  const bool written = co_await write(response, framing);
  if (!written) co_return Next::close;
  // A client that announced more must not lose our answer to a reset because of unread bytes.
  if (!keep) co_return wants_more ? Next::linger : Next::close;
  co_return Next::another_request;
}

asio::awaitable<bool> Connection::read_some() {
  const auto [error, size] =
      co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kErrorAsValue);
  buffer_.commit(size);
  co_return !error;
}

asio::awaitable<bool> Connection::read_header(Incoming& incoming) {
  arm(Phase::reading, state_.limits.header_wait_max);
  while (true) {
    beast::error_code error;
    buffer_.consume(incoming.parser.put(buffer_.data(), error));
    if (error == beast::http::error::need_more && buffer_.size() > state_.limits.header_bytes_max)
      error = beast::http::error::header_limit;
    if (error && error != beast::http::error::need_more) {
      incoming.problem = problem_of(error, state_.limits);
      co_return false;
    }
    if (incoming.parser.is_header_done()) co_return true;
    if (co_await read_some()) continue;
    if (expired_)
      incoming.problem = Problem{.status = 408,
                                 .code = "request_timeout",
                                 .detail = "The headers did not arrive in time."};
    co_return false;
  }
}

asio::awaitable<bool> Connection::read_body(Incoming& incoming) {
  auto& parser = incoming.parser;
  const auto& head = parser.get();
  // Bodies framed in any other way cannot be told from the next request.
  if (head.count(beast::http::field::transfer_encoding) > 0 &&
      !beast::iequals(head[beast::http::field::transfer_encoding], "chunked")) {
    incoming.problem = Problem{.status = 501,
                               .code = "transfer_encoding_not_supported",
                               .detail = "The only transfer encoding served is 'chunked'."};
    co_return false;
  }
  const bool expects_consent = beast::iequals(head[beast::http::field::expect], "100-continue");
  if (expects_consent && buffer_.size() == 0 && !parser.is_done()) {
    static constexpr std::string_view kConsent = "HTTP/1.1 100 Continue\r\n\r\n";
    arm(Phase::writing, state_.limits.write_wait_max);
    const auto [error, size] = co_await asio::async_write(
        socket_, asio::buffer(kConsent.data(), kConsent.size()), kErrorAsValue);
    if (error) co_return false;
  }
  arm(Phase::reading, state_.limits.body_wait_max);
  parser.eager(true);
  while (!parser.is_done()) {
    beast::error_code error;
    if (buffer_.size() > 0) buffer_.consume(parser.put(buffer_.data(), error));
    if (parser.is_done()) break;
    if (error && error != beast::http::error::need_more) {
      incoming.problem = problem_of(error, state_.limits);
      co_return false;
    }
    if (co_await read_some()) continue;
    if (expired_)
      incoming.problem = Problem{
          .status = 408, .code = "request_timeout", .detail = "The body did not arrive in time."};
    co_return false;
  }
  co_return true;
}

Request Connection::take_request(Incoming& incoming) {
  auto message = incoming.parser.release();
  Request request;
  request.id = std::to_string(state_.request_ids.next());
  request.method = message.method_string();
  request.target = message.target();
  for (const auto& field : message) request.headers.add(field.name_string(), field.value());
  request.body = std::move(message.body());
  if (buffer_.size() == 0 && buffer_.capacity() > kKeptBytesMax) buffer_.shrink_to_fit();
  return request;
}

// Hands the request to the handler and sleeps until its Reply is called, on whichever thread.
asio::awaitable<Response> Connection::dispatch(Request request) {
  using Completion = asio::any_completion_handler<void(Response)>;
  // noexcept: were the handler to throw with its Reply dropped, both would resume this coroutine.
  auto initiate = [this, &request](auto completion) noexcept {
    auto resume = std::make_shared<Completion>(std::move(completion));
    state_.handler(std::move(request),
                   Reply([resume, executor = socket_.get_executor()](Response response) {
                     asio::post(executor, [resume, response = std::move(response)]() mutable {
                       std::move (*resume)(std::move(response));
                     });
                   }));
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Response)>(
      initiate, asio::use_awaitable);
}

asio::awaitable<bool> Connection::write(const Response& response, Framing framing) {
  wire_.clear();
  wire_.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ");
  wire_.append(reason_phrase(response.status)).append("\r\nDate: ").append(date());
  wire_.append("\r\nContent-Type: ").append(response.content_type);
  wire_.append("\r\nContent-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  if (!framing.keep_alive) wire_.append("Connection: close\r\n");
  if (framing.say_keep_alive) wire_.append("Connection: keep-alive\r\n");
  response.headers.append_lines_to(wire_);
  wire_.append("\r\n");
  if (!framing.without_body) wire_.append(response.body);

  arm(Phase::writing, state_.limits.write_wait_max);
  const auto [error, size] =
      co_await asio::async_write(socket_, asio::buffer(wire_), kErrorAsValue);
  if (wire_.capacity() > kKeptBytesMax) {
    wire_.clear();
    wire_.shrink_to_fit();
  }
  co_return !error;
}

asio::awaitable<Connection::Next> Connection::refuse(Problem problem) {
  problem.request_id = std::to_string(state_.request_ids.next());
  Response response = to_response(problem);
  response.headers.add("X-Request-Id", problem.request_id);
  const bool written = co_await write(response, {});
  co_return written ? Next::linger : Next::close;
}

// Closing a socket with unread bytes resets it, and the reset can overtake our answer: read on for
// a moment, until the client has seen the answer and closes.
asio::awaitable<void> Connection::linger() {
  boost::system::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) co_return;
  arm(Phase::closing, kLingerWaitMax);
  std::size_t discarded = 0;
  while (discarded < kLingerBytesMax) {
    buffer_.clear();
    if (!co_await read_some()) co_return;
    discarded += buffer_.size();
  }
}

std::string_view Connection::date() {
  const std::time_t now = std::time(nullptr);
  if (now != home_.date_of) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];  // RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT"
    home_.date.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    home_.date_of = now;
  }
  return home_.date;
}

void Connection::arm(Phase phase, milliseconds wait_max) {
  phase_ = phase;
  expired_ = false;
  deadline_ = SystemClock::get().steady_now() + wait_max;
}

void Connection::disarm(Phase phase) {
  phase_ = phase;
  expired_ = false;
  deadline_ = Clock::Steady::max();
}

void Connection::expire_if_over(Clock::Steady now) {
  if (now < deadline_) return;
  deadline_ = Clock::Steady::max();
  expired_ = true;
  if (phase_ != Phase::closing) state_.timed_out.fetch_add(1, std::memory_order_relaxed);
  boost::system::error_code ignored;  // whatever it says, the coroutine learns it from its read
  socket_.cancel(ignored);
}

void Connection::close_if_idle() {
  if (phase_ != Phase::idle) return;
  boost::system::error_code error;
  if (socket_.available(error) > 0) return;  // a request came first; it is answered, then closed
  socket_.close(error);
}

void Connection::cut_off() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace carrel::ledger::http
