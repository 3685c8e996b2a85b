#include "lab/closed_loop.h"

#include <gtest/gtest.h>

#include <atomic>

#include "carrel/base/error.h"

namespace carrel::lab {
namespace {

using namespace std::chrono_literals;

TEST(ClosedLoop, CountsWhatEachThreadServed) {
  std::atomic<std::int64_t> calls = 0;
  const LoopResult result = run_closed_loop(3, 1ms, [&](std::size_t) { ++calls; });
  EXPECT_EQ(result.served.size(), 3u);
  EXPECT_EQ(result.served_in_all(), calls);
  EXPECT_EQ(result.failed_in_all(), 0);
  EXPECT_EQ(result.threads_never_served(), 0);
  EXPECT_GT(result.per_second(), 0);
}

TEST(ClosedLoop, ThreadWhoseRequestsAllFailIsNeverServed) {
  std::atomic<int> ended = 0;
  const LoopResult result = run_closed_loop(
      2, 0ms,
      [](std::size_t thread) {
        if (thread == 1) throw Error("lab.test", "always");
      },
      [&](std::size_t) { ++ended; });
  EXPECT_EQ(result.served[0], 1);
  EXPECT_EQ(result.failed[1], 1);
  EXPECT_EQ(result.threads_never_served(), 1);
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace carrel::lab
