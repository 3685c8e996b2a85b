#include "scope/ticks.h"

#include <gtest/gtest.h>

namespace carrel::scope {
namespace {

using namespace std::chrono_literals;

constexpr double kFirst = 0.5;  // ns a tick: 2 GHz
constexpr TickReading kOrigin{1'000'000, Clock::Steady(5s)};

TEST(TickRate, IsThatOfTheWholeRunWhereTheFirstWasALittleOff) {
  constexpr TickReading kNow{1'000'000 + 20'000'000'000, Clock::Steady(15'001ms)};
  EXPECT_DOUBLE_EQ(plausible_rate(kOrigin, kNow, kFirst), 0.50005);
}

TEST(TickRate, StaysTheFirstOneAfterASuspendThatTheCounterRanThrough) {
  // Ten seconds by the clock, and an hour more by the counter.
  constexpr TickReading kNow{1'000'000 + 7'220'000'000'000, Clock::Steady(15s)};
  EXPECT_DOUBLE_EQ(plausible_rate(kOrigin, kNow, kFirst), kFirst);
}

TEST(TickRate, StaysTheFirstOneAfterASuspendThatTheCounterStartedAgainFrom) {
  constexpr TickReading kBefore{500, Clock::Steady(15s)};
  EXPECT_DOUBLE_EQ(plausible_rate(kOrigin, kBefore, kFirst), kFirst);
  constexpr TickReading kBeyond{2'000'000, Clock::Steady(15s)};
  EXPECT_DOUBLE_EQ(plausible_rate(kOrigin, kBeyond, kFirst), kFirst);
}

}  // namespace
}  // namespace carrel::scope
