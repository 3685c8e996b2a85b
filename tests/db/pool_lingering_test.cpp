// Connections of which something remains when they are closed: a request to cancel, say, to a
// server that stands still. Its socket is one of the pool's.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "carrel/db/pool.h"
#include "carrel/db/pool_group.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

class PoolLingering : public testing::Test {
 protected:
  PoolLingering() { driver_.leave_behind(remains_); }

  static std::string borrowing(Pool& pool, bool stays_on_thread = false) {
    return code_of([&] {
      static_cast<void>(pool.borrow({.deadline = soon(1ms), .stays_on_thread = stays_on_thread}));
    });
  }
  void lose_a_connection_of(Pool& pool) {
    const int before = driver_.open();
    auto lease = pool.borrow();
    break_connection(lease);
    lease.release();
    EXPECT_LE(driver_.open(), before);
  }

  StubDriver driver_;
  std::shared_ptr<int> remains_ = std::make_shared<int>();
};

TEST_F(PoolLingering, WhatRemainsKeepsItsPlaceInTheTotal) {
  Pool pool(options(1), driver_);
  lose_a_connection_of(pool);
  EXPECT_EQ(driver_.open(), 0);
  EXPECT_EQ(pool.stats().size, 1U);
  EXPECT_EQ(borrowing(pool), "pool.timeout");
  pool.maintain();
  EXPECT_EQ(borrowing(pool), "pool.timeout");

  remains_.reset();
  EXPECT_EQ(borrowing(pool), "");
  EXPECT_EQ(driver_.open(), 1);
}

TEST_F(PoolLingering, WhoWaitsGetsThePlaceOnceNothingRemains) {
  Pool pool(options(1), driver_);
  lose_a_connection_of(pool);
  std::string got;
  std::thread waiter([&] { got = code_of([&] { static_cast<void>(pool.borrow()); }); });
  wait_until_waiting(pool, 1);
  pool.maintain();
  EXPECT_EQ(pool.stats().waiting, 1U);

  remains_.reset();
  pool.maintain();
  waiter.join();
  EXPECT_EQ(got, "");
}

TEST_F(PoolLingering, ItsPlaceIsKeptForFiveSecondsAtMost) {
  ManualClock clock;
  auto of_pool = options(1);
  of_pool.clock = &clock;
  Pool pool(of_pool, driver_);
  lose_a_connection_of(pool);
  clock.advance(4'999ms);
  EXPECT_EQ(borrowing(pool), "pool.timeout");
  clock.advance(1ms);
  EXPECT_EQ(borrowing(pool), "");
}

TEST_F(PoolLingering, ItIsWaitedForAlsoByWhoHoldsAllTheOthers) {
  Pool pool(options(2), driver_);
  lose_a_connection_of(pool);
  const auto other = pool.borrow({.stays_on_thread = true});
  EXPECT_EQ(borrowing(pool, /*stays_on_thread=*/true), "pool.timeout");  // not would_deadlock
}

TEST_F(PoolLingering, NobodyHoldsItAlsoWhereItDiedAtABorrow) {
  Pool held(options(1), driver_);
  const auto other = held.borrow({.stays_on_thread = true});
  auto asks_always = options(1);
  asks_always.validate_after = 0ms;
  asks_always.connect_at_start = false;
  Pool pool(asks_always, driver_);
  driver_.at(StubPoint::validate, [] { throw Error("sql.connection_lost", "gone"); });
  EXPECT_EQ(code_of([&] {
              static_cast<void>(pool.borrow({.deadline = soon(200ms), .stays_on_thread = true}));
            }),
            "pool.timeout");  // not would_deadlock
}

TEST_F(PoolLingering, WhoWaitsGetsThePlaceThoughNobodyElseComes) {
  auto looked_after = options(1);
  looked_after.size_min = 0;
  looked_after.maintain_every = 1h;
  Pool pool(looked_after, driver_);
  for (int i = 0; i < 2; ++i) {  // the second time, the pool's thread sleeps for an hour
    remains_ = std::make_shared<int>();
    driver_.leave_behind(remains_);
    lose_a_connection_of(pool);
    std::string got = "nothing yet";
    std::thread waiter([&] { got = code_of([&] { static_cast<void>(pool.borrow()); }); });
    wait_until_waiting(pool, 1);
    remains_.reset();
    waiter.join();
    EXPECT_EQ(got, "");
  }
}

TEST_F(PoolLingering, IsNotWaitedForByADrain) {
  Pool pool(options(2), driver_);
  auto late = pool.borrow();
  lose_a_connection_of(pool);
  EXPECT_FALSE(pool.drain(soon(1ms)));
  break_connection(late);
  late.release();
  EXPECT_TRUE(pool.drain(soon(0ms)));
  EXPECT_EQ(pool.stats().size, 0U);
}

TEST_F(PoolLingering, KeepsItsPermitOfAGroup) {
  PoolGroup group({.connections_max = 1, .maintain_every = 0ms});
  auto of_group = options(1);
  of_group.group = &group;
  Pool pool(of_group, driver_);
  Pool other(of_group, driver_);
  lose_a_connection_of(pool);
  EXPECT_EQ(borrowing(other), "pool.timeout");

  remains_.reset();
  group.maintain();
  EXPECT_EQ(borrowing(other), "");
}

}  // namespace
}  // namespace carrel::test
