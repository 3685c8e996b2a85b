// The time, a few milliseconds stale, for 3 ns instead of 23: ages of connections need no more.
#pragma once

#include <ctime>

#include "carrel/base/clock.h"

namespace carrel::db {

inline Clock::Steady coarse_now(const Clock& clock) noexcept {
  if (&clock != &SystemClock::get()) return clock.steady_now();
  std::timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return Clock::Steady(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

}  // namespace carrel::db
