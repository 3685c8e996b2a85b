// The age of values in reports. The linker gives this program a clock that it moves by hand.
#include <gtest/gtest.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string_view>

#include "carrel/local/internal/audit.h"
#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "local/worker.h"

namespace {
std::atomic<std::int64_t> hand_ms{0};
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

std::optional<std::chrono::milliseconds> reported_age(std::string_view variable) {
  for (const local::ThreadReport& thread : local::inspect_threads()) {
    for (const local::ValueRecord& value : thread.values) {
      if (value.variable == variable) return value.age;
    }
  }
  return std::nullopt;
}

TEST(Age, GrowsFromTheMomentTheValueIsMade) {
  const ThreadLocal<int> variable({.name = "aged"});
  hand_ms += 5'000;
  variable.set(1);
  EXPECT_EQ(reported_age("aged"), 0ms);
  hand_ms += 1'250;
  EXPECT_EQ(reported_age("aged"), 1'250ms);
}

TEST(Age, IsThatOfTheValueAndNotOfItsCell) {
  const ThreadLocal<int> variable({.name = "renewed"});
  variable.set(1);
  hand_ms += 3'000;
  variable.set(2);  // another content of the same value
  EXPECT_EQ(reported_age("renewed"), 3'000ms);
  variable.remove();
  variable.set(3);
  EXPECT_EQ(reported_age("renewed"), 0ms);
}

TEST(Age, IsReportedForOtherThreadsAndToTheAudit) {
  const ThreadLocal<int> variable({.name = "elsewhere"});
  const local::AuditMark mark = local::mark_audit();
  local::Worker worker;
  worker.call([&] { variable.set(1); });
  hand_ms += 700;
  EXPECT_EQ(reported_age("elsewhere"), 700ms);
  variable.set(1);
  hand_ms += 40;
  const auto left = local::values_since(mark);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].age, 40ms);
}

TEST(Age, IsRightWhenTheCountComesRoundToZero) {
  const ThreadLocal<int> variable({.name = "around"});
  constexpr std::int64_t kRound = (std::int64_t{1} << 32) * 10;
  hand_ms = kRound - 200;
  variable.set(1);
  hand_ms += 500;
  EXPECT_EQ(reported_age("around"), 500ms);
}

TEST(Age, OfAValueThatIsYoungerThanTheReadingOfTheClockIsZero) {
  const ThreadLocal<int> variable({.name = "younger"});
  hand_ms += 1'000;
  variable.set(1);
  hand_ms -= 20;  // as if the clock had been read before the value was made
  EXPECT_EQ(reported_age("younger"), 0ms);
}

}  // namespace
}  // namespace carrel
