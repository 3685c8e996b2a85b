#include "lab/cost.h"

#include <gtest/gtest.h>

#include <atomic>

#include "lab/memory_meter.h"
#include "lab/report_text.h"

namespace carrel::lab {
namespace {

constexpr Contest kShort{.rounds = 5, .round_time = std::chrono::microseconds(2000)};

// A sanitizer's calls cost many times what is measured.
bool times_mean_something() {
  return residency() == Residency::follows_live_bytes;
}

TEST(Cost, OfSharedPlacesIsManyTimesThatOfOnesOwn) {
  const Report report = run_cost({.threads_max = 16, .contest = kShort}, {});
  EXPECT_EQ(report.charts.at(0).series.size(), 5u);
  EXPECT_EQ(report.tables.at(0).rows.size(), 5u);
  EXPECT_TRUE(report.supported() || !times_mean_something()) << to_text(report);
}

TEST(Cost, IsNotSupportedWhenTheRemedyIsALock) {
  const Report report =
      run_cost({.threads_max = 2, .contest = kShort, .remedy = CountingIn::lock}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Contest, GivesEveryLoopItsMedian) {
  std::atomic<std::size_t> accesses = 0;
  const auto loop = [&](std::size_t count) { accesses += count; };
  const std::vector<double> times =
      Contest{.rounds = 3, .round_time = std::chrono::microseconds(50)}.run(2, {loop, loop});
  ASSERT_EQ(times.size(), 2u);
  EXPECT_GT(times[0], 0);
  EXPECT_GT(accesses, 0u);
}

TEST(Contest, ThreadsDoubleUpToTheMost) {
  EXPECT_EQ(doubling_threads(64), (std::vector<std::size_t>{1, 2, 4, 8, 16, 32, 64}));
  EXPECT_EQ(doubling_threads(1), std::vector<std::size_t>{1});
}

}  // namespace
}  // namespace carrel::lab
