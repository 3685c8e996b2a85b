#include "drivers/remote/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <memory>

#include "carrel/db/sql_error.h"
#include "drivers/remote/beside.h"

namespace carrel::remote {
namespace {

bool needs_no_resolving(const std::string& host) noexcept {
  if (host.empty() || host.front() == '/' || host.front() == '@') return true;
  std::array<std::byte, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

struct Answer {
  int error = 0;
  std::vector<std::string> addresses;
};

Answer look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* head = nullptr;
  Answer answer{.error = getaddrinfo(host.c_str(), nullptr, &hints, &head), .addresses = {}};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> found(head, &freeaddrinfo);
  for (const addrinfo* one = head; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0)
      answer.addresses.emplace_back(text.data());
  }
  return answer;
}

}  // namespace

std::vector<std::string> resolve(const std::string& host, Clock::Steady deadline) {
  if (needs_no_resolving(host)) return {host};
  const auto answer = beside(deadline, "resolving", [host] { return look_up(host); });
  if (!answer) {
    throw SqlError("sql.deadline", {.message = "the name of the host was not resolved in time",
                                    .traits = {.retryable = true}});
  }
  if (answer->error != 0 || answer->addresses.empty()) {
    throw SqlError("sql.cannot_connect",
                   {.message = "host '" + host + "': " + gai_strerror(answer->error),
                    .sqlstate = "08001",
                    .native_code = answer->error,
                    .traits = {.retryable = true}});
  }
  return answer->addresses;
}

}  // namespace carrel::remote
