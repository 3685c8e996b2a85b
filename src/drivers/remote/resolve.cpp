#include "drivers/remote/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

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

// The look-ups that are under way. A resolver that hangs has one thread for each name, and not one
// for each attempt to connect.
class LookUps {
 public:
  using Answers = std::shared_future<std::optional<Answer>>;

  // Never destroyed: a look-up that everybody has left may end when the program does.
  static LookUps& all() {
    static auto* const one = new LookUps;
    return *one;
  }

  // The one that is under way, or a new one.
  Answers of(const std::string& host) {
    const std::scoped_lock lock(mutex_);
    const auto [found, is_new] = under_way_.try_emplace(host);
    if (!is_new) return found->second;
    try {
      found->second = begin_beside("resolving", [this, host] {
        const Ends ends{.look_ups = *this, .host = host};
        return look_up(host);
      });
    } catch (...) {
      under_way_.erase(found);
      throw;
    }
    return found->second;
  }

 private:
  struct Ends {
    LookUps& look_ups;
    const std::string& host;
    ~Ends() {
      const std::scoped_lock lock(look_ups.mutex_);
      look_ups.under_way_.erase(host);
    }
  };

  std::mutex mutex_;
  std::unordered_map<std::string, Answers> under_way_;  // guarded by mutex_
};

}  // namespace

std::vector<std::string> resolve(const std::string& host, Clock::Steady deadline) {
  if (needs_no_resolving(host)) return {host};
  const auto answers = LookUps::all().of(host);
  if (answers.wait_until(deadline) != std::future_status::ready) {
    throw SqlError("sql.deadline", {.message = "the name of the host was not resolved in time",
                                    .traits = {.retryable = true}});
  }
  const auto& answer = answers.get();
  if (!answer) throw_no_means("there is not memory enough", "resolving");
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
