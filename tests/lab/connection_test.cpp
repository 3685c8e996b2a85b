#include "lab/connection.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(ConnectionExperiment, ShowsEveryKindOfTroubleAndItsRemedy) {
  const Report report = run_connection({.requests = 1000}, {.seed = 42});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(ConnectionExperiment, IsNotSupportedWhileTheConnectionIsStatic) {
  for (const auto keeping :
       {ConnectionKeeping::closed_after_use, ConnectionKeeping::forgotten_closed,
        ConnectionKeeping::never_closed}) {
    const Report report = run_connection({.requests = 400, .remedy = keeping}, {.seed = 42});
    EXPECT_FALSE(report.supported()) << to_text(report);
  }
}

TEST(ConnectionExperiment, IsNotSupportedWhenNobodyShares) {
  const Report report = run_connection({.threads = 1, .requests = 200}, {.seed = 42});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
