#include "lab/utilisation.h"

#include <gtest/gtest.h>

#include "lab/report_text.h"

namespace carrel::lab {
namespace {

TEST(Utilisation, IsShownAndItsRemedyToo) {
  const Report report =
      run_utilisation({.threads = {48}, .gain_min = 1.5, .idle_held_min = 0.4}, {});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(Utilisation, IsNotSupportedWhileConnectionsAreKept) {
  for (const auto use : {ConnectionUse::connect_each, ConnectionUse::bound_to_thread,
                         ConnectionUse::held_for_request}) {
    const Report report = run_utilisation(
        {.threads = {48}, .gain_min = 1.5, .idle_held_min = 0.4, .remedy = use}, {});
    EXPECT_FALSE(report.supported()) << to_text(report);
  }
}

TEST(Utilisation, IsNotSupportedWhenThereIsAConnectionForEveryThread) {
  const Report report =
      run_utilisation({.threads = {8}, .gain_min = 1.5, .idle_held_min = 0.4}, {});
  EXPECT_FALSE(report.supported()) << to_text(report);
}

}  // namespace
}  // namespace carrel::lab
