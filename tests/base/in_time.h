// The one expectation about time: that a wait with a deadline of some milliseconds ends long before
// whatever else could end it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>

#include "carrel/base/clock.h"

namespace carrel::test {

// For every time-out of a driver but the deadline, so that only the deadline can end a wait.
inline constexpr std::chrono::milliseconds kNever = std::chrono::hours(1);
// More than any machine is late by, and far less than that.
inline constexpr std::chrono::seconds kInTime{20};

// A driver's options, as tests of deadlines want them.
template <class Options>
Options ended_by_deadlines_only(Options options, std::chrono::milliseconds grace) {
  options.grace = grace;
  options.connect_max = kNever;
  options.upkeep_max = kNever;
  return options;
}

template <class Run>
auto in_time(const Run& run) {
  struct Watch {
    Clock::Steady begun = Clock::Steady::clock::now();
    Watch() = default;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { EXPECT_LT(Clock::Steady::clock::now() - begun, kInTime); }
  };
  const Watch watch;
  return run();
}

}  // namespace carrel::test
