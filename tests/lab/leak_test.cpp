#include "lab/leak.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

using namespace std::chrono_literals;

TEST(Leak, IsShownAndItsRemedyToo) {
  const Report report = run_leak({.rounds = 4, .pace = 0ms}, {});
  EXPECT_TRUE(report.supported()) << to_text(report);
  EXPECT_EQ(report.charts.size(), 2u);
  EXPECT_EQ(report.charts[0].series.size(), 8u);
}

TEST(Leak, IsNotSupportedWhenTheAuditLeavesWhatItFinds) {
  const Report report = run_leak({.rounds = 4, .pace = 0ms, .audit = AuditPolicy::report}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Leak, IsNotSupportedWhenNobodyLooks) {
  const Report report = run_leak({.rounds = 2, .pace = 0ms, .audit = AuditPolicy::off}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Leak, IsNotSupportedWhenThereIsNothingToLeak) {
  const Report report = run_leak({.rounds = 2, .block_bytes = 1 << 20, .pace = 0ms}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
