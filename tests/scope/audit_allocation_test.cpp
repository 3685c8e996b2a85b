// Where the heap has nothing left, an audit clears, counts and reports all the same.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "failing_new.h"
#include "scope/phoenix.h"

namespace carrel {
namespace {

using namespace failing_new;

TEST(Allocation, AnAuditWithoutMemoryClearsAndCountsAllTheSame) {
  constexpr int kTasks = 40;
  const ThreadLocal<int> first{{.name = "a name that no small string holds, of the first one"}};
  const ThreadLocal<int> second{{.name = "a name that no small string holds, of the second one"}};
  std::size_t reported = 0;
  Boundary boundary({.on_leftover = [&](std::span<const Leftover> found) {
    const std::string line = found[0].variable + found[0].type;
    reported += found.size();
  }});
  const auto leave_two = [&](std::uint64_t succeeding) {
    boundary.run({.name = "a task"}, [&] {
      first.set(1);
      second.set(2);
      failing_from = succeeding == 0 ? 0 : allocations + succeeding;
    });
    failing_from = 0;
    EXPECT_EQ(first.peek(), nullptr);
    EXPECT_EQ(second.peek(), nullptr);
  };
  for (std::uint64_t n = 0; n < kTasks; ++n) leave_two(n);
  EXPECT_EQ(boundary.leftovers(), 2U * kTasks);
  EXPECT_LT(reported, 2U * kTasks) << "no allocation failed";
  EXPECT_GT(boundary.printer_failures(), 0U);
  EXPECT_LT(boundary.printer_failures() + reported / 2, std::uint64_t{kTasks});
}

TEST(Allocation, AnAuditWithoutMemoryReportsWhatComesBackWithoutEnd) {
  bool again = true;
  const ThreadLocal<Phoenix> variable{{.name = "a name that is too long for a small string"}};
  Boundary boundary;
  for (int i = 0; i < 2; ++i) {
    testing::internal::CaptureStderr();
    boundary.run({.name = "bad task"}, [&] {
      variable.set(Phoenix(variable, again));
      if (i == 1) failing_from = allocations + 1;  // the first task has got the cells
    });
    failing_from = 0;
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("'bad task' left 1 values that destructors made again and again"),
              std::string::npos)
        << said;
    again = false;
    variable.remove();
    again = true;
  }
  EXPECT_EQ(boundary.leftovers(), 18U);
  again = false;
}

TEST(Allocation, AnAuditThatOnlyReportsCountsWithoutMemory) {
  const ThreadLocal<int> variable{{.name = "a name that is too long for the small string buffer"}};
  Boundary boundary({.audit = AuditPolicy::report});
  boundary.run({.name = "a task"}, [&] {
    variable.set(1);
    failing_from = allocations + 1;
  });
  failing_from = 0;
  EXPECT_EQ(variable.peek() == nullptr ? 0 : *variable.peek(), 1);
  EXPECT_EQ(boundary.leftovers(), 1U);
}

TEST(Allocation, APrinterThatThrowsAnythingWithoutMemoryIsCounted) {
  const ThreadLocal<int> variable{{.name = "variable"}};
  struct Broken {};
  Boundary boundary({.on_leftover = [](std::span<const Leftover>) {
    failing_from = allocations + 1;
    throw Broken();
  }});
  testing::internal::CaptureStderr();
  boundary.run({.name = "a task"}, [&] { variable.set(1); });
  failing_from = 0;
  EXPECT_NE(testing::internal::GetCapturedStderr().find("on_leftover threw: "), std::string::npos);
  EXPECT_EQ(boundary.printer_failures(), 1U);
  EXPECT_EQ(boundary.leftovers(), 1U);
  EXPECT_EQ(variable.peek(), nullptr);
}

TEST(AllocationDeathTest, AbortNamesTheTaskAlsoWithoutMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (std::uint64_t succeeding = 0; succeeding < 12; ++succeeding) {
    EXPECT_DEATH(
        {
          const ThreadLocal<int> variable{{.name = "a name that no small string can hold"}};
          Boundary boundary({.audit = AuditPolicy::abort});
          boundary.run({.name = "bad task"}, [&] {
            variable.set(1);
            failing_from = allocations + succeeding + 1;
          });
        },
        "assertion failed: a task leaves nothing\n  task 'bad task' left ")
        << succeeding;
  }
}

}  // namespace
}  // namespace carrel
