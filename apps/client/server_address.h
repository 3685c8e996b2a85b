// ServerAddress: where a server listens, from a URL such as "http://127.0.0.1:8080".
//
// Plain HTTP only, and no path: the API's own paths start at the root.
// Errors: parse() throws carrel::Error "client.bad_server_url", with what is wrong in words.
#pragma once

#include <string>
#include <string_view>

namespace carrel::client {

struct ServerAddress {
  std::string host;  // a name or an address, without the brackets of IPv6
  std::string port;  // digits

  [[nodiscard]] static ServerAddress parse(std::string_view url);

  [[nodiscard]] std::string authority() const;  // "127.0.0.1:8080", "[::1]:8080"
  [[nodiscard]] std::string url() const { return "http://" + authority(); }
};

}  // namespace carrel::client
