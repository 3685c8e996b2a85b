#include "lab/tenants.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Tenants, IsShownAndItsRemedyToo) {
  const Report report = run_tenants({.requests = 1000}, {.seed = 42});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(Tenants, IsNotSupportedWhileTheTenantIsSetBackByHand) {
  const Report report =
      run_tenants({.requests = 1000, .remedy = TenantSwitch::by_hand}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

TEST(Tenants, IsNotSupportedWhenNothingIsCutShort) {
  const Report report = run_tenants({.requests = 200, .cut_short_share = 0}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
