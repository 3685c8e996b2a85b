#include "client/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace carrel::client {
namespace {

using std::chrono::nanoseconds;

TEST(LatencyHistogram, IsZeroWhenEmpty) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile(99), nanoseconds{0});
}

TEST(LatencyHistogram, PercentilesAreNeverBelowAndAtMostOnePartAbove) {
  std::mt19937_64 random(42);
  std::lognormal_distribution<double> latency(14, 2);  // about 1 ms, with a long tail
  LatencyHistogram histogram;
  std::vector<std::int64_t> exact;
  for (int i = 0; i < 100'000; ++i) {
    exact.push_back(static_cast<std::int64_t>(latency(random)));
    histogram.record(nanoseconds{exact.back()});
  }
  std::ranges::sort(exact);
  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 100'000)) - 1;
    const auto measured = histogram.percentile(percent).count();
    EXPECT_GE(measured, exact[rank]) << percent;
    EXPECT_LE(measured, exact[rank] + exact[rank] / 128 + 1) << percent;
  }
  EXPECT_EQ(histogram.max().count(), exact.back());
  EXPECT_EQ(histogram.percentile(100).count(), exact.back());
}

TEST(LatencyHistogram, KeepsSmallValuesExactAndTheLargestInRange) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{1}, std::int64_t{127}, std::int64_t{128}, std::int64_t{255},
        std::int64_t{256}, std::int64_t{257}, std::numeric_limits<std::int64_t>::max()}) {
    LatencyHistogram histogram;
    histogram.record(nanoseconds{value});
    EXPECT_EQ(histogram.percentile(50).count(), value);
  }
}

TEST(LatencyHistogram, CountsAClockThatStepsBackAsNothing) {
  LatencyHistogram histogram;
  histogram.record(nanoseconds{-5});
  EXPECT_EQ(histogram.percentile(100), nanoseconds{0});
}

}  // namespace
}  // namespace carrel::client
