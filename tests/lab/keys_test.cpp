#include "lab/keys.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Keys, OfFourKindsHoldWhatTheyAreSaidTo) {
  const Report report = run_keys({}, {});
  EXPECT_TRUE(report.supported()) << to_text(report);
  EXPECT_EQ(report.charts.at(0).series.size(), 4u);
}

TEST(Keys, AreNotSupportedWhenEachThreadHasToComeByItself) {
  const Report report = run_keys({.remedy = Reclaim::owner}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Keys, AreNotSupportedWhenThereIsNothingToHold) {
  const Report report = run_keys({.value_bytes = 0}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
