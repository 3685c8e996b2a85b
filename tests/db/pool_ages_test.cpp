// What the pool does with time: ages, idling, leaks.
#include <gtest/gtest.h>

#include <initializer_list>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/db/pool.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

TEST(Pool, AsksForASignOfLifeByADeadlineThatEndsWithIt) {
  ManualClock clock;
  StubDriver driver;
  auto asking = options(1);
  asking.clock = &clock;
  asking.keepalive_every = 60s;
  Pool pool(asking, driver);
  clock.advance(2s);
  EXPECT_EQ(pool.borrow()->deadline(), kNoDeadline);
  EXPECT_NE(driver.deadline_at(StubPoint::validate), kNoDeadline);

  const auto before = driver.deadline_at(StubPoint::validate);
  clock.advance(61s);
  pool.maintain();
  EXPECT_NE(driver.deadline_at(StubPoint::validate), before);
  EXPECT_NE(driver.deadline_at(StubPoint::validate), kNoDeadline);
  EXPECT_EQ(pool.borrow()->deadline(), kNoDeadline);
}

TEST(Pool, ClosesNoConnectionForItsAgeWhereThereIsNoServer) {
  ManualClock clock;
  StubDriver driver({.name = "stub", .remote = false, .pool_size_default = 1});
  auto short_lived = options(1);
  short_lived.life_max = 60s;
  short_lived.leak_after = 1h;  // so that the pool keeps time at all
  short_lived.clock = &clock;
  Pool pool(short_lived, driver);
  clock.advance(61s);
  pool.borrow().release();
  pool.maintain();
  EXPECT_EQ(number_of(pool.borrow()), 1);
}

TEST(Pool, ClosesAConnectionAtTheEndOfItsLife) {
  ManualClock clock;
  StubDriver driver;
  auto short_lived = options(1);
  short_lived.life_max = 60s;
  short_lived.validate_after = 3600s;
  short_lived.clock = &clock;
  Pool pool(short_lived, driver);
  EXPECT_EQ(number_of(pool.borrow()), 1);

  clock.advance(61s);
  pool.borrow().release();  // also a connection that never idles

  EXPECT_EQ(number_of(pool.borrow()), 2);
  EXPECT_EQ(pool.stats().closed_life, 1U);
}

// Lives that end at random, so that connections opened together do not all close together.
class PoolLifeJitter : public testing::Test {
 protected:
  static constexpr int kSize = 64;

  [[nodiscard]] PoolOptions lives(double jitter) const {
    auto lives = options(kSize);
    lives.life_max = 1'000s;
    lives.life_jitter = jitter;
    lives.idle_max = 0ms;
    lives.validate_after = 3600s;
    lives.keepalive_every = 0ms;
    lives.clock = &clock_;
    return lives;
  }
  // On loan until a moment ago and from this moment on.
  static void lend_all(Pool& pool, std::vector<Pool::Lease>& leases) {
    leases.resize(kSize);
    for (auto& lease : leases) {
      lease.release();
      lease = pool.borrow();
    }
  }
  // How many lives have ended by each of the times, which come in order.
  template <class Look>
  std::vector<std::uint64_t> ended(Pool& pool, std::initializer_list<std::chrono::seconds> times,
                                   const Look& look) {
    std::vector<std::uint64_t> ended;
    auto now = 0s;
    for (const auto time : times) {
      clock_.advance(time - std::exchange(now, time));
      look();
      ended.push_back(pool.stats().closed_life);
    }
    return ended;
  }

  ManualClock clock_;
  StubDriver driver_;
};

TEST_F(PoolLifeJitter, EndsLivesAtDifferentTimesWithinTheShareWhereNoneIdles) {
  Pool pool(lives(0.5), driver_);
  std::vector<Pool::Lease> leases;
  lend_all(pool, leases);
  const auto by = ended(pool, {499s, 625s, 750s, 875s, 1'000s}, [&] { lend_all(pool, leases); });
  EXPECT_EQ(by[0], 0U);
  for (std::size_t i = 1; i < by.size(); ++i) EXPECT_GT(by[i], by[i - 1]);
  EXPECT_LT(by[3], static_cast<std::uint64_t>(kSize));
  EXPECT_EQ(by[4], static_cast<std::uint64_t>(kSize));
}

TEST_F(PoolLifeJitter, EndsLivesAtDifferentTimesWhereAllIdle) {
  Pool pool(lives(0.5), driver_);
  std::vector<Pool::Lease> leases;
  lend_all(pool, leases);
  leases.clear();
  const auto by = ended(pool, {499s, 625s, 750s, 875s, 1'000s}, [&] { pool.maintain(); });
  EXPECT_EQ(by[0], 0U);
  for (std::size_t i = 1; i < by.size(); ++i) EXPECT_GT(by[i], by[i - 1]);
  EXPECT_EQ(by[4], static_cast<std::uint64_t>(kSize));
}

TEST_F(PoolLifeJitter, WithoutItAllLivesEndAtLifeMax) {
  Pool pool(lives(0.0), driver_);
  std::vector<Pool::Lease> leases;
  lend_all(pool, leases);
  const auto by = ended(pool, {999s, 1'000s}, [&] { lend_all(pool, leases); });
  EXPECT_EQ(by, (std::vector<std::uint64_t>{0, kSize}));
}

// Handed on from one to the next, it is never idle.
TEST_F(PoolLifeJitter, AConnectionThatIsHandedFromBorrowerToBorrowerEndsToo) {
  auto one = lives(0.5);
  one.size_max = 1;
  Pool pool(one, driver_);
  auto held = pool.borrow();
  const auto hand_on = [&] {
    auto next = Pool::Lease();
    std::thread waiter([&] { next = pool.borrow(); });
    wait_until_waiting(pool, 1);
    held.release();
    waiter.join();
    held = std::move(next);
  };
  clock_.advance(499s);
  hand_on();
  EXPECT_EQ(number_of(held), 1);
  clock_.advance(501s);
  hand_on();
  EXPECT_EQ(number_of(held), 2);
  EXPECT_EQ(pool.stats().closed_life, 1U);
}

TEST(Pool, ClosesWhatIdlesTooLongDownToTheMinimum) {
  ManualClock clock;
  StubDriver driver;
  auto idling = options(3);
  idling.idle_max = 60s;
  idling.keepalive_every = 0ms;
  idling.clock = &clock;
  Pool pool(idling, driver);
  {
    auto a = pool.borrow();
    auto b = pool.borrow();
    auto c = pool.borrow();
  }
  ASSERT_EQ(driver.open(), 3);
  clock.advance(61s);

  pool.maintain();

  EXPECT_EQ(driver.open(), 1);
  EXPECT_EQ(pool.stats().closed_idle, 2U);
}

TEST(Pool, AsksForASignOfLifeOnlyAfterIdling) {
  ManualClock clock;
  StubDriver driver;
  auto careful = options(1);
  careful.validate_after = 5s;
  careful.clock = &clock;
  Pool pool(careful, driver);
  driver.at(StubPoint::validate, [] { throw server_away(); });

  EXPECT_EQ(number_of(pool.borrow()), 1);
  clock.advance(6s);
  EXPECT_EQ(number_of(pool.borrow()), 2);
  EXPECT_EQ(pool.stats().closed_invalid, 1U);
}

TEST(Pool, TakesAnyTimeForForEver) {
  constexpr auto for_ever = std::chrono::milliseconds::max();
  StubDriver driver;
  auto patient = options(1);
  patient.acquire_max = patient.idle_max = patient.life_max = for_ever;
  patient.leak_after = patient.validate_after = patient.keepalive_every = for_ever;
  patient.on_leak = [](const LeakReport&) { ADD_FAILURE() << "nobody was late"; };
  Pool pool(patient, driver);
  auto held = pool.borrow();
  pool.maintain();
  std::thread waiter([&] { EXPECT_EQ(number_of(pool.borrow()), 1); });
  wait_until_waiting(pool, 1);
  held.release();
  waiter.join();
  pool.maintain();
  EXPECT_EQ(pool.stats().idle, 1U);
}

// Over a network that swallows everything, each of them is waited for until the deadline.
TEST(Pool, TheDeadIdleAreAskedAndReplacedWithinOneAcquireMax) {
  ManualClock clock;
  StubDriver driver;
  auto idling = options(3);
  idling.size_min = 3;
  idling.clock = &clock;
  Pool pool(idling, driver);
  std::vector<Clock::Steady> deadlines;
  driver.at(
      StubPoint::validate,
      [&] {
        deadlines.push_back(driver.deadline_at(StubPoint::validate));
        throw server_away();
      },
      3);
  clock.advance(2s);

  EXPECT_EQ(number_of(pool.borrow()), 4);

  ASSERT_EQ(deadlines.size(), 3U);
  EXPECT_EQ(deadlines[1], deadlines[0]);
  EXPECT_EQ(deadlines[2], deadlines[0]);
  EXPECT_EQ(driver.deadline_at(StubPoint::connect), deadlines[0]);
}

TEST(Pool, NobodyIsAskedForASignOfLifeOnceTheDeadlineHasPassed) {
  ManualClock clock;
  StubDriver driver;
  auto idling = options(2);
  idling.size_min = 2;
  idling.clock = &clock;
  Pool pool(idling, driver);
  clock.advance(2s);
  const auto deadline = soon(5ms);
  driver.at(StubPoint::validate, [&] {
    while (Clock::Steady::clock::now() < deadline) std::this_thread::yield();
    throw server_away();
  });

  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = deadline})); }),
            "pool.timeout");

  EXPECT_EQ(pool.stats().closed_invalid, 1U);
  EXPECT_EQ(pool.stats().idle, 1U);
}

// By the pool's own thread, which nothing may end.
TEST(Pool, FillsUpNextTimeWhereMemoryWasLacking) {
  ManualClock clock;
  StubDriver driver;
  auto kept = options(2);
  kept.size_min = 2;
  kept.clock = &clock;
  kept.keepalive_every = 1s;
  Pool pool(kept, driver);
  clock.advance(2s);
  driver.at(StubPoint::validate, [] { throw server_away(); });
  driver.at(StubPoint::connect, [] { throw std::bad_alloc(); });

  pool.maintain();
  EXPECT_EQ(pool.stats().size, 1U);
  pool.maintain();
  EXPECT_EQ(pool.stats().size, 2U);
}

TEST(Pool, KeepsIdleConnectionsAliveAndReplacesTheDead) {
  ManualClock clock;
  StubDriver driver;
  auto kept = options(1);
  kept.keepalive_every = 10s;
  kept.clock = &clock;
  Pool pool(kept, driver);
  driver.at(StubPoint::validate, [] { throw server_away(); });
  clock.advance(11s);

  pool.maintain();

  EXPECT_EQ(driver.open(), 1);  // filled up to the minimum again
  EXPECT_EQ(number_of(pool.borrow()), 2);
}

// Waiting is by the system's steady clock, ages by the one that was handed in.
TEST(Pool, AClockThatJumpsAheadByHoursAgesConnectionsAndLetsNobodyTimeOut) {
  ManualClock clock;
  StubDriver driver;
  auto aging = options(2);
  aging.life_max = 3600s;
  aging.clock = &clock;
  Pool pool(aging, driver);
  auto held = pool.borrow();
  auto other = pool.borrow();
  std::thread waiter([&] { EXPECT_EQ(number_of(pool.borrow()), 3); });
  wait_until_waiting(pool, 1);

  clock.advance(10h);
  held.release();
  waiter.join();

  EXPECT_EQ(pool.stats().timeouts, 0U);
  EXPECT_EQ(pool.stats().closed_life, 1U);
  other.release();
  EXPECT_EQ(pool.stats().closed_life, 2U);
}

TEST(Pool, AClockThatJumpsBackByHoursClosesAndReportsNothing) {
  ManualClock clock;
  StubDriver driver;
  int leaks = 0;
  auto aging = options(2);
  aging.life_max = 3600s;
  aging.idle_max = 60s;
  aging.leak_after = 2s;
  aging.on_leak = [&](const LeakReport&) { ++leaks; };
  aging.clock = &clock;
  clock.advance(10h);
  Pool pool(aging, driver);
  auto held = pool.borrow();
  pool.borrow().release();

  clock.advance(-9h);
  pool.maintain();
  held.release();

  EXPECT_EQ(leaks, 0);
  EXPECT_EQ(driver.open(), 2);
  for (int i = 0; i < 3; ++i) EXPECT_LE(number_of(pool.borrow()), 2);
}

TEST(Pool, ReportsWhoKeepsAConnectionTooLong) {
  ManualClock clock;
  StubDriver driver;
  std::vector<LeakReport> reports;
  auto watched = options(1);
  watched.leak_after = 2s;
  watched.label = [] { return std::string_view("POST /v1/vouchers"); };
  watched.on_leak = [&](const LeakReport& report) { reports.push_back(report); };
  watched.clock = &clock;
  Pool pool(watched, driver);
  {
    const auto lease = pool.borrow();
    clock.advance(3s);
    pool.maintain();
    pool.maintain();  // reported once
    clock.advance(1s);
  }

  ASSERT_EQ(reports.size(), 2U);
  EXPECT_EQ(reports[0].borrower, "POST /v1/vouchers");
  EXPECT_EQ(reports[0].held, 3s);
  EXPECT_FALSE(reports[0].returned);
  EXPECT_TRUE(reports[1].returned);
  EXPECT_EQ(reports[1].held, 4s);
  EXPECT_EQ(pool.stats().leaks, 1U);
}

}  // namespace
}  // namespace carrel::test
