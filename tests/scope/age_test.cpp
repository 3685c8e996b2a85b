// The age of values in what inspect() and the audit say. The linker gives this program a coarse
// clock, which ages are counted by, that it moves by hand.
#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <string>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"

namespace {
std::int64_t hand_ms = 0;
}  // namespace

extern "C" int __real_clock_gettime(clockid_t clock, timespec* now);
extern "C" int __wrap_clock_gettime(clockid_t clock, timespec* now) {
  if (clock != CLOCK_MONOTONIC_COARSE) return __real_clock_gettime(clock, now);
  now->tv_sec = hand_ms / 1000;
  now->tv_nsec = hand_ms % 1000 * 1'000'000;
  return 0;
}

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(Age, OfAnEntryIsShownByInspectAndInItsJson) {
  ThreadLocal<std::string> cache{{.name = "cache", .lifetime = Lifetime::thread}};
  cache.set("warm");
  hand_ms += 90'000;
  const Inspection inspection = inspect();
  for (const InspectedThread& thread : inspection.threads)
    for (const InspectedEntry& entry : thread.entries) {
      if (entry.variable == "cache") {
        EXPECT_EQ(entry.age, 90s);
      }
    }
  EXPECT_NE(to_json(inspection).find(R"("lifetime":"thread","shared":false,"age_ms":90000})"),
            std::string::npos)
      << to_json(inspection);
}

TEST(Age, OfALeftoverIsThatOfTheValueAndOfItsTask) {
  ManualClock clock;
  ThreadLocal<int> marker{{.name = "marker"}};
  std::vector<Leftover> found;
  Boundary boundary({.audit = AuditPolicy::report, .on_leftover = [&](auto leftovers) {
                       found.assign(leftovers.begin(), leftovers.end());
                     }});
  const auto run = [&] {
    boundary.run({.name = "task", .clock = &clock}, [&] {
      marker.set(1);  // the second task replaces what the first one has left
      hand_ms += 2'000;
      clock.advance(2s);
    });
  };
  run();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].age, 2s);
  EXPECT_EQ(found[0].task_age, 2s);
  hand_ms += 60'000;
  run();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].age, 64s) << "the value is older than the task that set it again";
  EXPECT_EQ(found[0].task_age, 2s);
}

TEST(Boundary, TheDefaultPrinterWritesOneLineASecond) {
  ManualClock clock;
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary;
  const auto leave_one = [&] {
    boundary.run({.name = "task", .clock = &clock}, [&] { marker.set(1); });
  };
  testing::internal::CaptureStderr();
  for (int i = 0; i < 5; ++i) leave_one();
  clock.advance(1s);
  leave_one();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "carrel: task 'task' left 'marker' (int, 4 bytes, 0 ms old) on its thread after 0 us\n"
            "carrel: task 'task' left 'marker' (int, 4 bytes, 0 ms old) on its thread after 0 us"
            " (and 4 tasks before)\n");
  EXPECT_EQ(boundary.leftovers(), 6U);
}

}  // namespace
}  // namespace carrel
