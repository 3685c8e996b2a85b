#include "lab/passing.h"

#include <gtest/gtest.h>

#include "carrel/db/connection.h"
#include "lab/coupling.h"
#include "lab/report_text.h"

namespace carrel::lab {
namespace {

using namespace std::chrono_literals;

struct Example {
  void by_reference(int, Connection&) {}
  void by_pointer(const Connection*) const {}
  int nothing_of_it(int number) { return number; }
  static Connection* as_a_result(int) { return nullptr; }
};

TEST(Coupling, IsCountedFromParametersAndResults) {
  constexpr Coupling coupling = coupling_of<Connection>(
      &Example::by_reference, &Example::by_pointer, &Example::nothing_of_it, &Example::as_a_result);
  EXPECT_EQ(coupling.functions, 4);
  EXPECT_EQ(coupling.naming, 3);
}

PassingOptions short_run() {
  return {.threads = {1, 8}, .round_trip = 2ms, .stretch = 100ms, .repetitions = 7};
}

TEST(Passing, IsShownAndItsRemedyToo) {
  const Report report = run_passing(short_run(), {});
  EXPECT_TRUE(report.supported()) << to_text(report);
}

TEST(Passing, IsNotSupportedWhileTheConnectionIsPassedOrLocked) {
  for (const auto reach : {ConnectionReach::passed, ConnectionReach::global_lock}) {
    PassingOptions options = short_run();
    options.repetitions = 1;
    options.remedy = reach;
    const Report report = run_passing(options, {});
    EXPECT_FALSE(report.supported()) << to_text(report);
  }
}

}  // namespace
}  // namespace carrel::lab
