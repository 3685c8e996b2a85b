// Deadlines as poll() wants them.
#pragma once

#include <chrono>

#include "carrel/base/clock.h"

namespace carrel::remote {

enum class Waited { ready, timed_out, lost };

// The earlier of the deadline and `longest` from now.
[[nodiscard]] Clock::Steady at_most(Clock::Steady deadline, std::chrono::milliseconds longest);

struct Readiness {
  Waited waited;
  short events;  // as poll() tells them
};
[[nodiscard]] Readiness wait_for(int socket, short events, Clock::Steady deadline) noexcept;

}  // namespace carrel::remote
