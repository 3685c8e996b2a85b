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

TEST(Scale, StandsForAnEmptyRange) {
  const Scale scale(0, 0, 5);
  EXPECT_LT(scale.low(), scale.high());
  EXPECT_GE(scale.ticks().size(), 2u);
}

}  // namespace
}  // namespace carrel::lab
