#include "carrel/http_call.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "carrel/base/error.h"
#include "client/server_address.h"

namespace carrel::program {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr std::uint64_t kAnswerBytesMax = 256 << 20;

}  // namespace

class HttpCall::Stream {
 public:
  explicit Stream(const std::string& url)
      : address_(client::ServerAddress::parse(url)), socket_(context_) {
    asio::ip::tcp::resolver resolver(context_);
    guard([&] { asio::connect(socket_, resolver.resolve(address_.host, address_.port)); });
  }

  HttpAnswer exchange(http::request<http::string_body> request) {
    request.set(http::field::host, address_.authority());
    request.prepare_payload();
    http::response_parser<http::string_body> parser;
    parser.body_limit(kAnswerBytesMax);
    guard([&] {
      http::write(socket_, request);
      http::read(socket_, buffer_, parser);
    });
    return {.status = parser.get().result_int(), .body = std::move(parser.get().body())};
  }

 private:
  template <class F>
  void guard(F attempt) {
    try {
      attempt();
    } catch (const boost::system::system_error& error) {
      throw Error("check.unreachable",
                  "no answer from " + address_.url() + ": " + error.code().message());
    }
  }

  client::ServerAddress address_;
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
};

HttpCall::HttpCall(const std::string& url) : stream_(std::make_unique<Stream>(url)) {}
HttpCall::~HttpCall() = default;

HttpAnswer HttpCall::get(std::string_view path, std::string_view book) {
  http::request<http::string_body> request(http::verb::get, path, 11);
  request.set("X-Carrel-Book", book);
  return stream_->exchange(std::move(request));
}

HttpAnswer HttpCall::post(std::string_view path, std::string_view book, std::string body) {
  http::request<http::string_body> request(http::verb::post, path, 11);
  request.set("X-Carrel-Book", book);
  request.set(http::field::content_type, "application/json");
  request.body() = std::move(body);
  return stream_->exchange(std::move(request));
}

}  // namespace carrel::program
