#include "carrel/base/clock.h"

#include <gtest/gtest.h>

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, StandsStillUntilItIsAdvanced) {
  ManualClock clock;
  const auto steady = clock.steady_now();
  const auto wall = clock.wall_now();

  EXPECT_EQ(clock.steady_now(), steady);
  clock.advance(1500ms);

  EXPECT_EQ(clock.steady_now() - steady, 1500ms);
  EXPECT_EQ(clock.wall_now() - wall, 1500ms);
}

TEST(ManualClock, StartsAtTheBeginningOf2026) {
  EXPECT_EQ(ManualClock().wall_now(), std::chrono::sys_days{std::chrono::year{2026} / 1 / 1});
}

TEST(SystemClock, NeverStepsBackOnItsSteadySide) {
  const auto& clock = SystemClock::get();
  const auto before = clock.steady_now();
  EXPECT_LE(before, clock.steady_now());
}

}  // namespace
}  // namespace carrel
