#include "lab/context.h"

#include <gtest/gtest.h>

#include "lab/handover.h"
#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Context, IsLostOrStaleOnThreadsAndPropagatedWithRequests) {
  const Report report = run_context({.requests = 2000}, {});
  EXPECT_TRUE(report.supported()) << to_text(report);
  EXPECT_EQ(report.charts.at(0).series.size(), 6u);
}

TEST(Context, IsNotSupportedWhenNothingIsTakenAlong) {
  const Report report = run_context({.requests = 500, .remedy = TakingAlong::nothing}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Context, IsNotSupportedWithoutRequests) {
  const Report report = run_context({.requests = 0}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Judgement, TellsRightLostAndStaleApart) {
  Judgement judgement;
  judgement.judge(identity_of(1), identity_of(1));
  judgement.judge(identity_of(1), std::nullopt);
  judgement.judge(identity_of(1), identity_of(2));
  judgement.judge(identity_of(1), identity_of(51));  // the same tenant, another trace
  EXPECT_EQ(judgement.right(), 1);
  EXPECT_EQ(judgement.lost(), 1);
  EXPECT_EQ(judgement.stale(), 2);
}

}  // namespace
}  // namespace carrel::lab
