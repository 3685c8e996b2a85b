// Points in time as the drivers of servers reckon them.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "carrel/db/connection.h"
#include "drivers/remote/deadline.h"

namespace carrel::remote {
namespace {

using namespace std::chrono_literals;
constexpr auto kForEver = std::chrono::milliseconds::max();

TEST(RemoteDeadline, IsTheEarlierOfTwoAlsoWhereOneIsForEver) {
  const auto soon = Clock::Steady::clock::now() + 1h;
  EXPECT_EQ(at_most(soon, kForEver), soon);
  EXPECT_LT(at_most(soon, 1ms), soon);
  EXPECT_EQ(at_most(kNoDeadline, kForEver), kNoDeadline);
}

TEST(RemoteDeadline, OfUpkeepLiesBetweenGraceAndTheLongest) {
  const auto now = Clock::Steady::clock::now();
  EXPECT_EQ(upkeep_deadline(now + 3s, 1s, 60s), now + 3s);
  EXPECT_GE(upkeep_deadline(now, 1s, 60s), now + 1s);
  const auto longest = upkeep_deadline(kNoDeadline, 1s, 60s);
  EXPECT_GE(longest, now + 60s);
  EXPECT_LE(longest, Clock::Steady::clock::now() + 60s);
  EXPECT_EQ(upkeep_deadline(kNoDeadline, 1s, kForEver), kNoDeadline);
}

TEST(RemoteDeadline, OfUpkeepIsThatOfGraceWhereTheLongestIsShorter) {
  const auto now = Clock::Steady::clock::now();
  EXPECT_GE(upkeep_deadline(now, 60s, 1s), now + 60s);
  const auto longest = upkeep_deadline(kNoDeadline, 60s, 1s);
  EXPECT_LE(longest, Clock::Steady::clock::now() + 60s);
}

TEST(RemoteDeadline, OnceItHasPassedWhatIsThereCountsOnlyWhereAskedFor) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  const auto passed = Clock::Steady::clock::now();
  EXPECT_EQ(wait_for(ends[0], POLLIN, passed).waited, Waited::timed_out);
  EXPECT_EQ(wait_for(ends[0], POLLIN, passed, OnceLate::what_is_there).waited, Waited::ready);
  EXPECT_EQ(wait_for(ends[0], POLLIN, kNoDeadline).waited, Waited::ready);
  for (const int end : ends) ::close(end);
}

}  // namespace
}  // namespace carrel::remote
