// Who stands in a group's line, who makes room for whom, and when.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>
#include <utility>
#include <vector>

#include "db/group_core.h"
#include "db/grouped_pools.h"
#include "db/lane.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

using PoolGroupLine = GroupedPools;

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

// Its share is the larger by one only, which one of the two must have.
TEST_F(PoolGroupLine, APoolWithOneMoreThanAnotherKeepsWhatItHas) {
  permits_ = 3;
  auto& larger = add_pool();
  auto& smaller = add_pool();
  auto first = larger.borrow();
  auto second = larger.borrow();
  auto third = smaller.borrow();
  std::thread of_smaller([&] { smaller.borrow().release(); });
  wait_until_waiting(smaller, 1);
  std::thread of_larger([&] { larger.borrow().release(); });
  wait_until_waiting(larger, 1);
  first.release();
  of_larger.join();
  EXPECT_EQ(group().stats().given_up, 0U);
  third.release();
  of_smaller.join();
}

TEST_F(PoolGroupLine, TheOneThatIdledLongestOfAPoolMakesRoom) {
  ManualClock clock;
  auto& idle = add_pool(2, &clock);
  auto& other = add_pool(2, &clock);
  auto young = idle.borrow();
  auto old = idle.borrow();
  const int kept = number_of(young);
  old.release();
  clock.advance(1s);
  young.release();
  const auto lease = other.borrow();
  EXPECT_EQ(number_of(idle.borrow()), kept);
}

// It was neither idle nor on loan while it was asked.
TEST_F(PoolGroupLine, AConnectionThatComesFromItsKeepaliveMakesRoom) {
  permits_ = 1;
  ManualClock clock;
  auto keeping = of_group(1, &clock);
  keeping.keepalive_every = 10s;
  Pool idle(keeping, driver_);
  auto& newcomer = add_pool(1, &clock);
  idle.borrow().release();
  clock.advance(11s);
  Halt asking;
  driver_.at(StubPoint::validate, [&] { asking.pass(); });
  std::thread looks_after([&] { idle.maintain(); });
  asking.wait_until_inside(1);
  std::thread waiter([&] { newcomer.borrow().release(); });
  wait_until_waiting(newcomer, 1);
  asking.open();
  looks_after.join();
  waiter.join();
  EXPECT_EQ(group().stats().evicted, 1U);
  EXPECT_EQ(idle.stats().closed_for_group, 1U);
}

TEST_F(PoolGroupLine, ADrainedPoolClosesWhatComesBack) {
  permits_ = 1;
  auto& drained = add_pool();
  auto& other = add_pool();
  auto lease = drained.borrow();
  EXPECT_FALSE(drained.drain(soon(1ms)));
  lease.release();
  EXPECT_TRUE(drained.drain(kNoDeadline));
  EXPECT_EQ(drained.stats().closed_drained, 1U);
  EXPECT_TRUE(other.borrow());
}

TEST_F(PoolGroupLine, APoolHasNoThreadOfItsOwn) {
  const auto before = threads();
  auto own = of_group(4);
  own.maintain_every = 1h;
  Pool pool(own, driver_);
  EXPECT_EQ(threads(), before);
}

// The first to get a permit does not keep the next in its pool from the next permit.
TEST_F(PoolGroupLine, TwoWaitersOfAPoolConnectAtTheSameTime) {
  auto& full = add_pool();
  auto& newcomer = add_pool();
  auto first = full.borrow();
  auto second = full.borrow();
  Halt connecting;
  driver_.at(StubPoint::connect, [&] { connecting.pass(); }, 2);
  std::thread one([&] { newcomer.borrow().release(); });
  wait_until_waiting(newcomer, 1);
  std::thread two([&] { newcomer.borrow().release(); });
  wait_until_waiting(newcomer, 2);
  for (auto* lease : {&first, &second}) {
    break_connection(*lease);
    lease->release();
  }
  connecting.wait_until_inside(2);
  connecting.open();
  one.join();
  two.join();
}

// Until then its pool opened as many at a time as it may, and stood in no line.
TEST_F(PoolGroupLine, WhoHasConnectedLetsTheNextOfItsPoolMakeRoom) {
  permits_ = 2;
  ManualClock clock;
  auto& idle = add_pool(4, &clock);
  auto one_at_a_time = of_group(4, &clock);
  one_at_a_time.connecting_max = 1;
  Pool pool(one_at_a_time, driver_);
  idle.borrow().release();
  Halt connecting;
  driver_.at(StubPoint::connect, [&] { connecting.pass(); });
  Pool::Lease first;
  std::thread one([&] { first = pool.borrow(); });
  connecting.wait_until_inside(1);
  std::thread two([&] { pool.borrow().release(); });
  wait_until_waiting(pool, 1);
  EXPECT_EQ(group().stats().evicted, 0U);
  connecting.open();
  one.join();
  two.join();  // while the first is still on loan
  EXPECT_EQ(group().stats().evicted, 1U);
}

TEST_F(PoolGroupLine, ALookAfterAllPoolsOnceForEverIsNone) {
  ManualClock clock;
  group_.emplace(
      PoolGroupOptions{.connections_max = 2, .maintain_every = std::chrono::milliseconds::max()});
  auto kept = of_group(1, &clock);
  kept.keepalive_every = 1s;
  kept.validate_after = 24h;
  driver_.at(StubPoint::validate, [] { ADD_FAILURE() << "somebody looked after it"; }, 1'000);
  Pool pool(kept, driver_);
  auto& other = add_pool(1);
  pool.borrow().release();
  clock.advance(2s);
  for (int i = 0; i < 10'000; ++i) other.borrow().release();
}

TEST(GroupCore, PromisesNoMoreThanTheLineNeeds) {
  db::GroupCore core({.connections_max = 2, .maintain_every = {}});
  db::Lane rich(2, 2, &core);
  db::Lane poor(2, 2, &core);
  using Otherwise = db::GroupCore::Otherwise;
  ASSERT_TRUE(core.try_take(rich, Otherwise::nothing));
  ASSERT_TRUE(core.try_take(rich, Otherwise::nothing));
  ASSERT_FALSE(core.try_take(poor, Otherwise::line_up));
  EXPECT_TRUE(core.should_evict(rich));
  EXPECT_FALSE(core.should_evict(rich));  // one is on its way
  core.break_promise(rich);
  EXPECT_EQ(rich.permits(), 2U);
  EXPECT_TRUE(core.should_evict(rich));  // none was there, and the line is as long as before
  core.give_back(rich, db::GroupCore::Permit::promised);
  core.give_back(rich, db::GroupCore::Permit::kept);
  EXPECT_EQ(core.stats().connections, 0U);
}

}  // namespace
}  // namespace carrel::test
