#include "drivers/remote/deadline.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>

#include "base/later.h"
#include "carrel/db/connection.h"

namespace carrel::remote {
namespace {

int poll_timeout_ms(Clock::Steady deadline) noexcept {
  if (deadline == kNoDeadline) return -1;
  const auto left = deadline - Clock::Steady::clock::now();
  if (left.count() <= 0) return 0;
  const std::int64_t rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(rounded, std::numeric_limits<int>::max()));
}

}  // namespace

Clock::Steady at_most(Clock::Steady deadline, std::chrono::milliseconds longest) {
  return std::min(deadline, base::from_now(longest));
}

Clock::Steady upkeep_deadline(Clock::Steady deadline, std::chrono::milliseconds grace,
                              std::chrono::milliseconds longest) {
  const auto now = Clock::Steady::clock::now();
  const auto first = base::later(now, grace);
  return std::clamp(deadline, first, std::max(first, base::later(now, longest)));
}

Readiness wait_for(int socket, short events, Clock::Steady deadline, OnceLate once_late) noexcept {
  pollfd watched{.fd = socket, .events = events, .revents = 0};
  if (socket < 0) return {Waited::lost, 0};
  for (;;) {
    const int timeout_ms = poll_timeout_ms(deadline);
    if (timeout_ms == 0 && once_late == OnceLate::timed_out) return {Waited::timed_out, 0};
    const int ready = poll(&watched, 1, timeout_ms);
    if (ready > 0) return {Waited::ready, watched.revents};
    if (ready < 0 && errno != EINTR) return {Waited::lost, 0};
    if (deadline != kNoDeadline && Clock::Steady::clock::now() >= deadline)
      return {Waited::timed_out, 0};
  }
}

}  // namespace carrel::remote
