#include "client/progress_display.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace carrel::client {
namespace {

using namespace std::chrono_literals;
using Style = ProgressDisplay::Style;

TEST(ProgressDisplay, DescribesHowFarItIs) {
  const ProgressDisplay::State half{.fraction = 0.5, .answered = 1000, .elapsed = 2s, .p99 = 3ms};
  EXPECT_EQ(ProgressDisplay::describe(half, Style::bar),
            "[###############...............]  50%  1000 answered  500/s  p99 3.0 ms  2 s left");
  EXPECT_EQ(ProgressDisplay::describe(half, Style::lines),
            " 50%  1000 answered  500/s  p99 3.0 ms  2 s left");
}

TEST(ProgressDisplay, ShowsNoShareOfAnUnknownWhole) {
  const ProgressDisplay::State state{.fraction = -1, .answered = 7, .elapsed = 1s, .p99 = 1ms};
  EXPECT_EQ(ProgressDisplay::describe(state, Style::bar), "7 answered  7/s  p99 1.0 ms");
}

TEST(ProgressDisplay, PlainLinesAreFewAndBarsRedrawOneLine) {
  std::ostringstream lines;
  std::ostringstream bar;
  {
    ProgressDisplay plain(lines, Style::lines);
    ProgressDisplay drawn(bar, Style::bar);
    for (auto at = 100ms; at <= 11s; at += 100ms) {
      plain.show({.fraction = 0.1, .answered = 1, .elapsed = at, .p99 = 1ms});
      drawn.show({.fraction = 0.1, .answered = 1, .elapsed = at, .p99 = 1ms});
    }
  }
  EXPECT_EQ(std::ranges::count(lines.str(), '\n'), 2);
  EXPECT_EQ(std::ranges::count(bar.str(), '\n'), 1);
  EXPECT_EQ(std::ranges::count(bar.str(), '\r'), 110);
}

}  // namespace
}  // namespace carrel::client
