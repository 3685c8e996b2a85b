#include "client/server_address.h"

#include <fmt/format.h>

#include <charconv>

#include "carrel/base/error.h"

namespace carrel::client {
namespace {

[[noreturn]] void reject(std::string_view url, std::string_view reason) {
  throw Error("client.bad_server_url",
              fmt::format("\"{}\" is not a server's address: {}", url, reason));
}

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failure == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

ServerAddress ServerAddress::parse(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (url.starts_with("https://")) reject(url, "only http:// is supported");
  std::string_view rest = url;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != std::string_view::npos)
    reject(url, "give http://host:port and nothing else");

  ServerAddress address{.host = {}, .port = "80"};
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto bracket = rest.find(']');
    if (bracket == std::string_view::npos) reject(url, "a bracket is not closed");
    address.host = rest.substr(1, bracket - 1);
    port = rest.substr(bracket + 1);
  } else {
    const auto colon = rest.find(':');
    address.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon);
  }
  if (address.host.empty()) reject(url, "the host is missing");
  if (port.empty()) return address;
  port.remove_prefix(1);
  if (!is_port(port)) reject(url, "the port must be 1 to 65535");
  address.port = port;
  return address;
}

std::string ServerAddress::authority() const {
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

}  // namespace carrel::client
