// What the figures of a pool say of the time that it was used and waited for.
#include <gtest/gtest.h>

#include <thread>

#include "carrel/db/pool.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

void busy_for(std::chrono::milliseconds time) {
  const auto until = soon(time);
  while (Clock::Steady::clock::now() < until) {
  }
}

TEST(PoolStats, UtilisationTellsHowMuchOfALoanRanSql) {
  StubDriver driver;
  Pool pool(options(1), driver);
  driver.at(StubPoint::execute, [&] { busy_for(3ms); });
  {
    auto lease = pool.borrow();
    lease->execute("select 1");
    busy_for(3ms);
  }
  const auto utilisation = pool.stats().utilisation;
  ASSERT_EQ(utilisation.size(), 1U);
  EXPECT_GT(utilisation[0], 0.0);
  EXPECT_LT(utilisation[0], 1.0);
}

TEST(PoolStats, UseTimeIsThatOfOneLoanInSixtyFour) {
  StubDriver driver;
  Pool pool(options(1), driver);
  const auto begun = Clock::Steady::clock::now();
  auto measured = pool.borrow();
  busy_for(3ms);
  EXPECT_EQ(pool.stats().measured, 0U);  // it has not ended
  measured.release();
  const auto all = Clock::Steady::clock::now() - begun;
  EXPECT_EQ(pool.stats().measured, 1U);
  EXPECT_GE(pool.stats().use_time, 3ms);
  EXPECT_LE(pool.stats().use_time, all);

  const auto before = pool.stats().use_time;
  for (int i = 1; i < 64; ++i) pool.borrow().release();
  EXPECT_EQ(pool.stats().measured, 1U);
  EXPECT_EQ(pool.stats().use_time, before);
  pool.borrow().release();
  EXPECT_EQ(pool.stats().measured, 2U);
  EXPECT_GT(pool.stats().use_time, before);
}

TEST(PoolStats, WaitTimeIsThatOfThoseWhoWaited) {
  StubDriver driver;
  Pool pool(options(1), driver);
  pool.borrow().release();
  EXPECT_EQ(pool.stats().wait_time, 0ns);

  // Several waits: a thread may stand in line for a while before it begins to count.
  constexpr int kWaits = 20;
  std::chrono::nanoseconds at_most{0};
  for (int i = 0; i < kWaits; ++i) {
    auto held = pool.borrow();
    std::thread waiter([&] {
      const auto begun = Clock::Steady::clock::now();
      const auto lease = pool.borrow();
      at_most += Clock::Steady::clock::now() - begun;
    });
    wait_until_waiting(pool, 1);
    busy_for(3ms);
    held.release();
    waiter.join();
  }
  EXPECT_EQ(pool.stats().waited, static_cast<std::uint64_t>(kWaits));
  EXPECT_GE(pool.stats().wait_time, 3ms);
  EXPECT_LE(pool.stats().wait_time, at_most);
}

TEST(PoolStats, AWaitInVainCountsAsWell) {
  StubDriver driver;
  Pool pool(options(1), driver);
  const auto held = pool.borrow();
  static_cast<void>(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }));
  EXPECT_EQ(pool.stats().waited, 1U);
  EXPECT_GT(pool.stats().wait_time, 0ns);
}

}  // namespace
}  // namespace carrel::test
