#include <gtest/gtest.h>

#include "db/slot.h"

namespace carrel::db {
namespace {

TEST(LoanWatch, ReportsALoanOnceAndSaysSoAtItsEnd) {
  LoanWatch loan;
  EXPECT_EQ(loan.began(), std::nullopt);
  loan.begin(1);
  EXPECT_EQ(loan.began(), 1);
  EXPECT_TRUE(loan.report(1));
  EXPECT_FALSE(loan.report(1));
  EXPECT_EQ(loan.end(), 1);
  EXPECT_EQ(loan.began(), std::nullopt);
}

TEST(LoanWatch, SaysNothingAtTheEndOfALoanThatWasNotReported) {
  LoanWatch loan;
  loan.begin(1);
  EXPECT_EQ(loan.end(), std::nullopt);
}

// Whoever looks after the pool has read when the loan began, and comes to report it too late.
TEST(LoanWatch, BlamesNobodyForALoanThatHasEndedMeanwhile) {
  LoanWatch loan;
  loan.begin(1);
  EXPECT_EQ(loan.end(), std::nullopt);
  EXPECT_FALSE(loan.report(1));
  loan.begin(5);
  EXPECT_FALSE(loan.report(1));
  EXPECT_EQ(loan.end(), std::nullopt);
  loan.begin(9);
  EXPECT_TRUE(loan.report(9));
  EXPECT_EQ(loan.end(), 9);
}

}  // namespace
}  // namespace carrel::db
