#include "lab/shared.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Shared, EveryThreadReads115AndItsOwnSumWithTheRemedy) {
  const Report report = run_shared({}, {});
  EXPECT_TRUE(report.supported()) << to_text(report);
  for (const auto& row : report.tables.at(0).rows) {
    EXPECT_EQ(std::get<std::int64_t>(row.at(2)), 115);
    EXPECT_EQ(std::get<std::int64_t>(row.at(3)), 100 + std::get<std::int64_t>(row.at(1)));
    EXPECT_EQ(std::get<std::string>(row.at(4)), "not run");
  }
}

TEST(Shared, IsNotSupportedWhenTheRemedySharesToo) {
  const Report report = run_shared({.remedy = InitialValue::shared}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Shared, IsNotSupportedWhenThereIsNobodyToShareWith) {
  const Report report = run_shared({.threads = 1, .remedy = InitialValue::shared}, {});
  EXPECT_TRUE(report.findings.at(0).holds());
  EXPECT_TRUE(report.findings.at(1).holds()) << "a single thread cannot tell";
}

}  // namespace
}  // namespace carrel::lab
