#include "carrel/base/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>
#include <vector>

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(IdSource, GrowsStrictlyEvenWhileTheClockStandsStill) {
  ManualClock clock;
  IdSource ids(clock);

  std::int64_t last = ids.next();
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t id = ids.next();
    ASSERT_GT(id, last);
    last = id;
  }
}

TEST(IdSource, FollowsTheClockForward) {
  ManualClock clock;
  IdSource ids(clock);
  const std::int64_t first = ids.next();
  clock.advance(1h);
  EXPECT_GT(ids.next() - first, (std::int64_t{3'600'000} << 22) - (1 << 22));
}

TEST(IdSource, CountsOnWhenTheClockStepsBack) {
  ManualClock clock;
  clock.advance(1h);
  IdSource ids(clock);
  const std::int64_t first = ids.next();
  clock.advance(-1h);
  EXPECT_GT(ids.next(), first);
}

TEST(IdSource, KeepsTheTagInTheId) {
  IdSource ids(SystemClock::get());
  EXPECT_EQ(IdSource::tag_of(ids.next(0)), 0);
  EXPECT_EQ(IdSource::tag_of(ids.next(2)), 2);
  EXPECT_EQ(IdSource::tag_of(ids.next(255)), 255);
}

TEST(IdSource, StaysPositive) {
  IdSource ids(SystemClock::get());
  EXPECT_GT(ids.next(255), 0);
}

TEST(IdSource, GivesABlockToOneCallerOnly) {
  ManualClock clock;
  IdSource ids(clock);
  const std::int64_t first = ids.next_block(1, 3);
  EXPECT_EQ(ids.next(1), first + 3 * 256);
}

TEST(IdSource, ContinuesAfterWhatARestartFound) {
  ManualClock clock;
  IdSource before(clock);
  const std::int64_t kept = before.next_block(1, 5) + 4 * 256;
  clock.advance(-1h);

  IdSource after(clock);
  after.continue_after(kept);
  EXPECT_GT(after.next(1), kept);
  after.continue_after(256);
  EXPECT_GT(after.next(1), kept);
}

TEST(IdSource, NeverGivesTwoThreadsTheSameId) {
  constexpr int kThreads = 4;
  constexpr int kEach = 20'000;
  IdSource ids(SystemClock::get());
  std::vector<std::vector<std::int64_t>> taken(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : taken)
      threads.emplace_back([&ids, &mine] {
        for (int i = 0; i < kEach; ++i) mine.push_back(ids.next());
      });
  }

  std::vector<std::int64_t> all;
  for (const auto& mine : taken) all.insert(all.end(), mine.begin(), mine.end());
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_EQ(all.size(), std::size_t{kThreads} * kEach);
}

}  // namespace
}  // namespace carrel
