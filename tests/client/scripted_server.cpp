#include "client/scripted_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <thread>
#include <utility>

namespace carrel::client {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace

class ScriptedServer::Impl {
 public:
  explicit Impl(Script script) : script_(std::move(script)) {
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] { context_.run(); });
  }

  void stop() {
    if (!thread_.joinable()) return;
    context_.stop();
    thread_.join();
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  std::vector<SeenRequest> seen_;

 private:
  asio::awaitable<void> accept() {
    for (;;) {
      auto [failure, socket] = co_await acceptor_.async_accept(kAwait);
      if (failure) co_return;
      asio::co_spawn(context_, serve(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> serve(tcp::socket socket) {
    boost::beast::flat_buffer buffer;
    for (;;) {
      http::request<http::string_body> request;
      auto [failure, size] = co_await http::async_read(socket, buffer, request, kAwait);
      if (failure) co_return;
      seen_.push_back({std::string(request.target()), std::string(request["X-Carrel-Book"]),
                       std::string(request["Idempotency-Key"]), request.body()});
      const ScriptedAnswer answer = script_(seen_.back());
      if (answer.manner == ScriptedAnswer::Manner::hang_up) co_return;
      if (answer.manner == ScriptedAnswer::Manner::stay_silent) continue;
      http::response<http::string_body> response;
      response.result(static_cast<unsigned>(answer.status));
      for (const auto& [name, value] : answer.headers) response.set(name, value);
      response.body() = answer.body;
      response.prepare_payload();
      auto [write_failure, written] = co_await http::async_write(socket, response, kAwait);
      if (write_failure) co_return;
    }
  }

  Script script_;
  asio::io_context context_;
  tcp::acceptor acceptor_{context_, {asio::ip::address_v4::loopback(), 0}};
  std::uint16_t port_ = acceptor_.local_endpoint().port();
  std::thread thread_;
};

ScriptedServer::ScriptedServer(Script script) : impl_(std::make_unique<Impl>(std::move(script))) {}
ScriptedServer::~ScriptedServer() {
  impl_->stop();
}

std::string ScriptedServer::url() const {
  return "http://127.0.0.1:" + std::to_string(impl_->port());
}

std::vector<SeenRequest> ScriptedServer::stop() {
  impl_->stop();
  return impl_->seen_;
}

}  // namespace carrel::client
