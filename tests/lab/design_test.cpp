#include "lab/design.h"

#include <gtest/gtest.h>

#include "lab/memory_meter.h"
#include "lab/report_text.h"

namespace carrel::lab {
namespace {

constexpr Contest kShort{.rounds = 3, .round_time = std::chrono::microseconds(2000)};
constexpr std::size_t kTimeFinding = 0;  // the one that judges a time

TEST(Design, OfAMapForEachThreadKeepsNothingOfEndedThreads) {
  const Report report = run_design({.threads_max = 8, .contest = kShort}, {});
  const bool times_mean_something = residency() == Residency::follows_live_bytes;
  for (std::size_t i = 0; i < report.findings.size(); ++i)
    EXPECT_TRUE(report.findings[i].holds() || (i == kTimeFinding && !times_mean_something))
        << to_text(report);
  EXPECT_EQ(report.charts.size(), 3u);
  EXPECT_EQ(report.charts.at(0).series.size(), 3u);
  EXPECT_EQ(report.charts.at(2).series.at(0).points.back().y, 8 * 16);
}

TEST(Design, IsNotSupportedWhenTheRemedyIsAMapForEachVariable) {
  const Report report =
      run_design({.threads_max = 4, .contest = kShort, .remedy = MapFor::each_variable}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
  EXPECT_FALSE(report.findings.back().holds()) << "bytes left";
}

}  // namespace
}  // namespace carrel::lab
