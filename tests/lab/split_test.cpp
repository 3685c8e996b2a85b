#include "lab/split.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Split, IsShownAndItsRemedyToo) {
  const Report report = run_split({.transfers = 1000}, {.seed = 42});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(Split, IsNotSupportedWhileEachCallBorrows) {
  const Report report =
      run_split({.transfers = 500, .remedy = Borrowing::each_call_borrows}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Split, IsNotSupportedWhenNothingIsRolledBack) {
  const Report report = run_split({.transfers = 200, .refused_share = 0}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
