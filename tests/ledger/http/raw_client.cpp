#include "ledger/http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "ledger/http/message.h"

namespace carrel::ledger::http {
namespace {

constexpr timeval kSafetyLimit{.tv_sec = 60, .tv_usec = 0};

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::string RawAnswer::header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(std::min(rest.size(), line.size() + 2));
    const std::size_t colon = line.find(": ");
    if (colon != line.npos && equal_ignoring_case(line.substr(0, colon), name))
      return std::string(line.substr(colon + 2));
  }
  return {};
}

std::string RawAnswer::member(std::string_view name) const {
  boost::json::error_code malformed;
  const boost::json::value document = boost::json::parse(body, malformed);
  if (malformed || !document.is_object()) return {};
  const boost::json::value* value = document.get_object().if_contains({name.data(), name.size()});
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get_string().begin(), value->get_string().end()};
  return boost::json::serialize(*value);
}

RawClient::RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  if (socket_ < 0) fail("socket");
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kSafetyLimit, sizeof kSafetyLimit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("connect");
}

RawClient::~RawClient() {
  leave();
}

void RawClient::leave() {
  if (socket_ >= 0) ::close(std::exchange(socket_, -1));
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) fail("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

void RawClient::finish_sending() {
  ::shutdown(socket_, SHUT_WR);
}

bool RawClient::receive() {
  char bytes[16 * 1024];
  const ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
  if (size < 0 && errno == ECONNRESET) return false;
  if (size < 0) fail("receive");
  received_.append(bytes, static_cast<std::size_t>(size));
  return size > 0;
}

RawAnswer RawClient::read_answer(bool without_body) {
  RawAnswer answer;
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos)
    if (!receive()) throw std::runtime_error("the server closed without an answer");
  answer.head = received_.substr(0, end + 2);
  received_.erase(0, end + 4);
  answer.status = std::stoi(answer.head.substr(answer.head.find(' ')));
  const std::string length = answer.header("Content-Length");
  if (without_body || length.empty()) return answer;
  const std::size_t size = std::stoul(length);
  while (received_.size() < size)
    if (!receive()) throw std::runtime_error("the server closed in the middle of an answer");
  answer.body = received_.substr(0, size);
  received_.erase(0, size);
  return answer;
}

std::string RawClient::read_to_end() {
  while (receive()) {
  }
  return std::exchange(received_, {});
}

std::string request_text(std::string_view method, std::string_view target,
                         const HeaderLines& headers, std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  for (const auto& [name, value] : headers) text.append(name + ": " + value + "\r\n");
  if (!body.empty()) text.append("Content-Length: " + std::to_string(body.size()) + "\r\n");
  return text.append("\r\n").append(body);
}

}  // namespace carrel::ledger::http
