#include "lab/mixup.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Mixup, IsShownAndItsRemedyToo) {
  const Report report = run_mixup({.requests = 4000, .exception_share = 0.05}, {.seed = 42});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(Mixup, IsNotSupportedWhenTheMarkerStaysOnTheThread) {
  for (const MarkerHandling handling : {MarkerHandling::by_hand, MarkerHandling::left_behind}) {
    const Report report =
        run_mixup({.requests = 2000, .exception_share = 0.05, .remedy = handling}, {.seed = 42});
    EXPECT_FALSE(report.supported()) << to_text(report);
  }
}

TEST(Mixup, IsNotSupportedWhenThereIsNothingToMixUp) {
  const Report report = run_mixup({.requests = 500, .merchant_share = 0}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
