// Deadlines as poll() wants them.
#pragma once

#include <chrono>

#include "carrel/base/clock.h"

namespace carrel::remote {

enum class Waited { ready, timed_out, lost };

// The earlier of the deadline and `longest` from now.
[[nodiscard]] Clock::Steady at_most(Clock::Steady deadline, std::chrono::milliseconds longest);

// Until when undoing and cleaning up may take: the deadline, but neither less than `grace` from now
// nor more than `longest`, of which the former counts where it is more.
[[nodiscard]] Clock::Steady upkeep_deadline(Clock::Steady deadline, std::chrono::milliseconds grace,
                                            std::chrono::milliseconds longest);

struct Readiness {
  Waited waited;
  short events;  // as poll() tells them
};

// What counts once the deadline has passed: a peer that always has more to say than was read so far
// would be listened to for ever if what is there already were still taken.
enum class OnceLate { timed_out, what_is_there };
[[nodiscard]] Readiness wait_for(int socket, short events, Clock::Steady deadline,
                                 OnceLate once_late = OnceLate::timed_out) noexcept;

}  // namespace carrel::remote
