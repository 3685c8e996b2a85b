#include "drivers/remote/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "carrel/db/sql_error.h"

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
  addrinfo* found = nullptr;
  Answer answer{.error = getaddrinfo(host.c_str(), nullptr, &hints, &found), .addresses = {}};
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                    NI_NUMERICHOST) == 0)
      answer.addresses.emplace_back(text.data());
  }
  if (found != nullptr) freeaddrinfo(found);
  return answer;
}

}  // namespace

std::vector<std::string> resolve(const std::string& host, Clock::Steady deadline) {
  if (needs_no_resolving(host)) return {host};
  // Detached, since nothing can end getaddrinfo: a caller out of time leaves it behind. All that
  // the thread touches is its own.
  std::promise<Answer> promise;
  auto answer = promise.get_future();
  std::thread([host, promise = std::move(promise)]() mutable {
    promise.set_value(look_up(host));
  }).detach();
  if (answer.wait_until(deadline) != std::future_status::ready) {
    throw SqlError("sql.deadline", {.message = "the name of the host was not resolved in time",
                                    .traits = {.retryable = true}});
  }
  auto found = answer.get();
  if (found.error != 0 || found.addresses.empty()) {
    throw SqlError("sql.cannot_connect",
                   {.message = "host '" + host + "': " + gai_strerror(found.error),
                    .sqlstate = "08001",
                    .native_code = found.error,
                    .traits = {.retryable = true}});
  }
  return std::move(found.addresses);
}

}  // namespace carrel::remote
