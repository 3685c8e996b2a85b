// later(): a point in time that saturates, for spans that mean "for ever". Internal to the library.
#pragma once

#include <chrono>

#include "carrel/base/clock.h"

namespace carrel::base {

// `span` after `at`, or the end of time where that would be later still. Not before the epoch.
[[nodiscard]] constexpr Clock::Steady later(Clock::Steady at,
                                            std::chrono::milliseconds span) noexcept {
  const auto left = std::chrono::floor<std::chrono::milliseconds>(Clock::Steady::max() - at);
  return span >= left ? Clock::Steady::max() : at + span;
}

[[nodiscard]] inline Clock::Steady from_now(std::chrono::milliseconds span) noexcept {
  return later(Clock::Steady::clock::now(), span);
}

}  // namespace carrel::base
