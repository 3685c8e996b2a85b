#include "lab/scale.h"

#include <gtest/gtest.h>

namespace carrel::lab {
namespace {

TEST(Scale, CoversItsValuesWithRoundTicks) {
  const Scale scale(0, 27.3, 5);
  EXPECT_EQ(scale.ticks(), (std::vector<double>{0, 10, 20, 30}));
  EXPECT_DOUBLE_EQ(scale.position(15), 0.5);
  EXPECT_EQ(scale.label(10), "10");
}

TEST(Scale, LabelsHaveTheDigitsThatTheTicksNeed) {
  const Scale scale(0, 0.38, 4);
  EXPECT_EQ(scale.ticks().size(), 5u);
  EXPECT_EQ(scale.label(scale.ticks()[1]), "0.1");
  EXPECT_EQ(Scale(0, 0.012, 4).label(0.005), "0.005");
}

TEST(Scale, ReachesBelowZeroOnlyWhereValuesDo) {
  EXPECT_DOUBLE_EQ(Scale(-0.2, 25, 6).low(), -5);
  EXPECT_EQ(Scale(-0.2, 25, 6).label(0), "0");
  EXPECT_DOUBLE_EQ(Scale(0, 25, 6).low(), 0);
}

TEST(Scale, NoiseBelowZeroDoesNotWidenTheAxis) {
  const Chart chart{
      .file_name = "c", .title = "c", .x = {}, .y = {}, .series = {{"a", {{0, -0.1}, {1, 25}}}}};
  EXPECT_DOUBLE_EQ(y_scale_of(chart, 6).low(), 0);
}

TEST(Scale, LogarithmicScaleHasATickAtEveryPower) {
  const Scale doublings(1, 64, Scaling::doublings);
  EXPECT_EQ(doublings.ticks(), (std::vector<double>{1, 2, 4, 8, 16, 32, 64}));
  EXPECT_DOUBLE_EQ(doublings.position(8), 0.5);
  const Scale decades(0.7, 1000, Scaling::decades);
  EXPECT_EQ(decades.ticks().size(), 5u);
  EXPECT_EQ(decades.label(decades.ticks().front()), "0.1");
  EXPECT_DOUBLE_EQ(decades.high(), 1000);
  EXPECT_DOUBLE_EQ(decades.position(0), 0) << "zero has no place, and is drawn at the edge";
  EXPECT_LT(Scale(4, 4, Scaling::doublings).low(), Scale(4, 4, Scaling::doublings).high());
}

TEST(Scale, ChartsChooseTheirScaling) {
  const Chart chart{.file_name = "c",
                    .title = "c",
                    .x = {"threads", "", Scaling::doublings},
                    .y = {"time", "ns", Scaling::decades},
                    .series = {{"a", {{1, 0}, {2, 20}, {64, 500}}}}};
  EXPECT_EQ(x_scale_of(chart, 3).ticks().size(), 7u);
  EXPECT_DOUBLE_EQ(y_scale_of(chart, 3).low(), 10);
  EXPECT_DOUBLE_EQ(y_scale_of(chart, 3).high(), 1000);
}

TEST(Scale, StandsForAnEmptyRange) {
  const Scale scale(0, 0, 5);
  EXPECT_LT(scale.low(), scale.high());
  EXPECT_GE(scale.ticks().size(), 2u);
}

}  // namespace
}  // namespace carrel::lab
