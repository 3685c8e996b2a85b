#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "db/grouped_pools.h"

namespace carrel::test {
namespace {

using PoolGroupTest = GroupedPools;

TEST_F(PoolGroupTest, OpensNothingAheadOfNeed) {
  add_pool();
  add_pool();
  group().maintain();
  EXPECT_EQ(driver_.open(), 0);
  EXPECT_EQ(group().stats().pools, 2U);
}

TEST_F(PoolGroupTest, TheConnectionThatIdledLongestMakesRoomForAnotherPool) {
  ManualClock clock;
  auto& young = add_pool(4, &clock);
  auto& old = add_pool(4, &clock);
  auto& third = add_pool(4, &clock);
  old.borrow().release();
  clock.advance(std::chrono::seconds(1));
  young.borrow().release();

  third.borrow().release();

  EXPECT_EQ(old.stats().size, 0U);
  EXPECT_EQ(old.stats().closed_for_group, 1U);
  EXPECT_EQ(young.stats().size, 1U);
  EXPECT_EQ(group().stats().evicted, 1U);
  EXPECT_EQ(driver_.open_max(), 2);
}

TEST_F(PoolGroupTest, AReaderThatIdledLongerMakesRoomBeforeTheWriter) {
  StubDriver one_writer({.name = "stub", .single_writer = true, .pool_size_default = 3});
  ManualClock clock;
  auto of_group = options(3);
  of_group.group = &group();
  of_group.clock = &clock;
  Pool old(of_group, one_writer);
  old.borrow({.access = Access::read_only}).release();
  clock.advance(std::chrono::seconds(1));
  int writer = 0;
  {
    const auto lease = old.borrow();
    writer = number_of(lease);
  }
  auto& other = add_pool();

  other.borrow().release();

  EXPECT_EQ(old.stats().closed_for_group, 1U);
  EXPECT_EQ(number_of(old.borrow()), writer);
}

TEST_F(PoolGroupTest, AReturnedConnectionMakesRoomForWhoWaitsInAnotherPool) {
  auto& one = add_pool();
  auto& other = add_pool();
  auto first = one.borrow();
  auto second = one.borrow();
  std::thread waiter([&] { other.borrow().release(); });
  wait_until_waiting(other, 1);
  first.release();
  waiter.join();
  second.release();
  EXPECT_EQ(driver_.open_max(), 2);
  EXPECT_EQ(one.stats().closed_for_group, 1U);
}

TEST_F(PoolGroupTest, APoolThatHasNoneIsServedBeforeTheLineOfOneThatHas) {
  permits_ = 1;
  auto& busy = add_pool();
  auto& poor = add_pool();
  auto held = busy.borrow();
  std::mutex mutex;
  std::vector<std::string> order;
  const auto borrow_from = [&](Pool& pool, const char* name) {
    return std::thread([&, name] {
      const auto lease = pool.borrow();
      const std::scoped_lock lock(mutex);
      order.emplace_back(name);
    });
  };
  auto one = borrow_from(busy, "busy");
  wait_until_waiting(busy, 1);
  auto two = borrow_from(busy, "busy");
  wait_until_waiting(busy, 2);
  auto three = borrow_from(poor, "poor");
  wait_until_waiting(poor, 1);
  held.release();
  one.join();
  two.join();
  three.join();
  EXPECT_EQ(order.front(), "poor");
  EXPECT_EQ(driver_.open_max(), 1);
  EXPECT_GE(group().stats().given_up, 1U);
}

// Closing takes long; what comes back meanwhile is not closed for the same newcomer too.
TEST_F(PoolGroupTest, OneNewcomerCostsOneConnection) {
  permits_ = 3;
  auto& busy = add_pool();
  auto& newcomer = add_pool();
  std::deque<Pool::Lease> held;
  for (int i = 0; i < 3; ++i) held.push_back(busy.borrow());
  Halt closing;
  driver_.at(StubPoint::close, [&] { closing.pass(); });
  std::thread waiter([&] { newcomer.borrow().release(); });
  wait_until_waiting(newcomer, 1);

  std::thread gives_up([lease = std::move(held.front())]() mutable { lease.release(); });
  closing.wait_until_inside(1);
  held.clear();
  EXPECT_EQ(busy.stats().idle, 2U);

  closing.open();
  gives_up.join();
  waiter.join();
  EXPECT_EQ(busy.stats().closed_for_group, 1U);
  EXPECT_EQ(group().stats().evicted, 0U);
}

// Who hands a connection on in its own pool leaves none to close, and waits for nobody who closes.
// Nor is it to close another for the newcomer, although its own pool stands in line too.
TEST_F(PoolGroupTest, WhoServesItsOwnPoolWaitsForNoCloseElsewhere) {
  permits_ = 3;
  auto& idle = add_pool();
  auto& busy = add_pool();
  auto& newcomer = add_pool();
  idle.borrow().release();
  auto first = busy.borrow();
  auto second = busy.borrow();
  Halt closing;
  driver_.at(StubPoint::close, [&] { closing.pass(); });
  std::thread evicts([&] { newcomer.borrow().release(); });
  closing.wait_until_inside(1);
  std::thread waiter([&] { busy.borrow().release(); });
  wait_until_waiting(busy, 1);

  first.release();
  EXPECT_EQ(busy.stats().waiting, 0U);
  closing.open();

  evicts.join();
  waiter.join();
  second.release();
  EXPECT_EQ(busy.stats().closed_for_group, 0U);
}

// As towards a server that does not answer.
TEST_F(PoolGroupTest, ACloseThatTakesLongKeepsNobodyElseFromMakingRoom) {
  permits_ = 3;
  ManualClock clock;
  auto& hangs = add_pool(4, &clock);
  auto& idle = add_pool(4, &clock);
  auto& first = add_pool(4, &clock);
  hangs.borrow().release();
  clock.advance(std::chrono::seconds(1));
  idle.borrow().release();
  const auto held = first.borrow();
  Halt closing;
  driver_.at(StubPoint::close, [&] { closing.pass(); });
  std::thread evicts([&] { first.borrow().release(); });
  closing.wait_until_inside(1);

  auto others = std::async(std::launch::async, [&] {
    auto& second = add_pool(4, &clock);
    second.borrow().release();
    group().maintain();
    const auto evicted = group().stats().evicted;
    pools_.pop_back();
    return evicted;
  });
  const auto ended = others.wait_for(std::chrono::minutes(1));
  closing.open();
  evicts.join();
  EXPECT_EQ(ended, std::future_status::ready);
  EXPECT_EQ(others.get(), 1U);
  EXPECT_EQ(group().stats().evicted, 2U);
  EXPECT_EQ(driver_.open_max(), 3);
}

TEST_F(PoolGroupTest, APoolLivesUntilItsConnectionIsClosedForAnother) {
  permits_ = 1;
  auto of_group = options(4);
  of_group.group = &group();
  std::optional<Pool> ends(std::in_place, of_group, driver_);
  auto& newcomer = add_pool();
  ends->borrow().release();
  Halt closing;
  driver_.at(StubPoint::close, [&] { closing.pass(); });
  std::thread evicts([&] { newcomer.borrow().release(); });
  closing.wait_until_inside(1);
  std::thread destroys([&] { ends.reset(); });
  while (group().stats().pools == 2) std::this_thread::yield();
  closing.open();
  destroys.join();
  evicts.join();
  EXPECT_EQ(driver_.open_max(), 1);
}

TEST_F(PoolGroupTest, BusyPoolsWithEqualSharesKeepTheirConnections) {
  permits_ = 4;
  auto& one = add_pool();
  auto& other = add_pool();
  std::vector<Pool::Lease> held;
  held.push_back(one.borrow());
  held.push_back(one.borrow());
  held.push_back(other.borrow());
  held.push_back(other.borrow());
  std::thread of_one([&] { one.borrow().release(); });
  std::thread of_other([&] { other.borrow().release(); });
  wait_until_waiting(one, 1);
  wait_until_waiting(other, 1);
  held.erase(held.begin());  // goes to the waiter of its own pool
  of_one.join();
  held.clear();
  of_other.join();
  EXPECT_EQ(group().stats().given_up, 0U);
}

TEST_F(PoolGroupTest, WhoWaitsInVainIsToldByItsPool) {
  permits_ = 1;
  auto& one = add_pool();
  auto& other = add_pool();
  const auto held = one.borrow();
  EXPECT_EQ(code_of([&] {
              static_cast<void>(other.borrow({.deadline = soon(std::chrono::milliseconds(20))}));
            }),
            "pool.timeout");
  EXPECT_EQ(group().stats().pools_waiting, 0U);
}

TEST_F(PoolGroupTest, WaitingForOneselfOverTwoPoolsIsRefused) {
  permits_ = 1;
  auto& one = add_pool();
  auto& other = add_pool();
  const auto held = one.borrow({.stays_on_thread = true});
  EXPECT_EQ(code_of([&] { static_cast<void>(other.borrow({.stays_on_thread = true})); }),
            "would_deadlock");
}

TEST_F(PoolGroupTest, AConnectThatFailsGivesItsPermitBack) {
  permits_ = 1;
  auto& one = add_pool();
  auto& other = add_pool();
  driver_.at(StubPoint::connect, [] { throw SqlError("sql.access_denied", {.message = "no"}); });
  EXPECT_EQ(code_of([&] { static_cast<void>(one.borrow()); }), "sql.access_denied");
  EXPECT_TRUE(other.borrow());
}

TEST_F(PoolGroupTest, ADrainedPoolGivesItsPermitsBack) {
  permits_ = 1;
  auto& one = add_pool();
  auto& other = add_pool();
  one.borrow().release();
  EXPECT_TRUE(one.drain(kNoDeadline));
  EXPECT_EQ(group().stats().connections, 0U);
  EXPECT_TRUE(other.borrow());
}

TEST(PoolGroupStress, AThousandTenantsUnderOneTotalAreAllServed) {
  constexpr int kTenants = 1'000;
  constexpr int kThreads = 16;
  constexpr int kBorrows = 500;
  StubDriver driver;
  PoolGroup group({.connections_max = 8, .maintain_every = std::chrono::milliseconds(1)});
  std::deque<Pool> pools;
  for (int i = 0; i < kTenants; ++i) {
    auto of_group = options(4);
    of_group.group = &group;
    pools.emplace_back(of_group, driver);
  }
  std::atomic<int> served{0};
  std::latch start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      for (int i = 0; i < kBorrows; ++i) {
        // Half of the threads want one tenant, the others all.
        const auto tenant = static_cast<std::size_t>(t % 2 == 0 ? 0 : (t * 131 + i * 7) % kTenants);
        const auto lease = pools[tenant].borrow({.stays_on_thread = true});
        if (i % 16 == 0) std::this_thread::yield();
        served.fetch_add(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(served.load(), kThreads * kBorrows);
  EXPECT_LE(driver.open_max(), 8);
  EXPECT_EQ(group.stats().pools_waiting, 0U);
  EXPECT_LE(group.stats().connections, 8U);
}

// Every tenant's waiter gets one, though one tenant never stops.
TEST(PoolGroupStress, ATenantThatNeverStopsStarvesNobody) {
  StubDriver driver;
  PoolGroup group({.connections_max = 1, .maintain_every = {}});
  std::deque<Pool> pools;
  for (int i = 0; i < 3; ++i) {
    auto of_group = options(2);
    of_group.group = &group;
    pools.emplace_back(of_group, driver);
  }
  std::atomic<bool> done{false};
  std::vector<std::thread> greedy;
  for (int t = 0; t < 3; ++t) {
    greedy.emplace_back([&] {
      while (!done.load()) pools[0].borrow().release();
    });
  }
  for (int i = 0; i < 300; ++i) {
    pools[1].borrow().release();
    pools[2].borrow().release();
  }
  done.store(true);
  for (auto& thread : greedy) thread.join();
  EXPECT_EQ(driver.open_max(), 1);
}

}  // namespace
}  // namespace carrel::test
