#include "carrel/db/pool.h"

#include <gtest/gtest.h>

#include <thread>

#include "db/stub_driver.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;
using test::StubDriver;
using test::StubPoint;

Clock::Steady soon(std::chrono::milliseconds time) {
  return Clock::Steady::clock::now() + time;
}

int number_of(const Pool::Lease& lease) {
  return dynamic_cast<test::StubConnection&>(*lease).number();
}

void break_connection(const Pool::Lease& lease) {
  dynamic_cast<test::StubConnection&>(*lease).break_now();
}

void wait_until_waiting(const Pool& pool, std::size_t count) {
  while (pool.stats().waiting != count) std::this_thread::yield();
}

// The code of the Error that `f` throws; empty if it throws none.
template <class F>
std::string code_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return {};
}

PoolOptions options(std::size_t size) {
  return {.name = "test", .size_max = size, .acquire_max = 60s, .maintain_every = 0ms};
}

TEST(Pool, LendsTheConnectionThatThisThreadUsedLast) {
  StubDriver driver;
  Pool pool(options(3), driver);
  auto first = pool.borrow();
  auto second = pool.borrow();
  const int last = number_of(second);
  first.release();
  second.release();

  EXPECT_EQ(number_of(pool.borrow()), last);
  EXPECT_EQ(pool.stats().created, 2U);
}

TEST(Pool, ConnectsAtTheStartSoThatFaultsShowThere) {
  StubDriver driver;
  driver.at(StubPoint::connect, [] { throw SqlError("sql.access_denied", {.message = "no"}); });

  EXPECT_EQ(code_of([&] { Pool pool(options(2), driver); }), "sql.access_denied");
  EXPECT_EQ(driver.open(), 0);
}

TEST(Pool, LeavesTheFaultsToTheFirstBorrowerWhereAskedTo) {
  StubDriver driver;
  auto lazy = options(2);
  lazy.connect_at_start = false;
  Pool pool(lazy, driver);
  driver.at(StubPoint::connect, [] { throw SqlError("sql.access_denied", {.message = "no"}); });

  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow()); }), "sql.access_denied");
  EXPECT_TRUE(pool.borrow());  // the slot was not lost
}

TEST(Pool, RefusesToBeLargerThanTheServerAllows) {
  StubDriver driver;
  driver.limit_connections(3);
  EXPECT_EQ(code_of([&] { Pool pool(options(4), driver); }), "pool.too_large");
}

TEST(Pool, TriesAgainWhileTheServerIsAway) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw test::server_away(); }, 2);

  EXPECT_TRUE(pool.borrow());
  EXPECT_EQ(pool.stats().connect_failures, 2U);
}

TEST(Pool, SaysWhyNobodyCouldConnectInTime) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw test::server_away(); }, 1'000);

  try {
    static_cast<void>(pool.borrow({.deadline = soon(1ms)}));
    FAIL() << "borrowed from a server that is away";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "pool.timeout");
    EXPECT_TRUE(error.retryable());
    EXPECT_NE(std::string_view(error.what()).find("nobody there"), std::string_view::npos);
  }
}

TEST(Pool, WaiterGetsReturnedConnection) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  const int number = number_of(lease);
  int received = 0;
  std::thread waiter([&] { received = number_of(pool.borrow()); });
  wait_until_waiting(pool, 1);

  lease.release();
  waiter.join();

  EXPECT_EQ(received, number);
  EXPECT_EQ(pool.stats().waited, 1U);
}

TEST(Pool, ServesWaitersInTheOrderOfTheirArrival) {
  constexpr int kWaiters = 8;
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  std::vector<int> served;  // only ever touched by the holder of the one connection
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&, i] {
      const auto mine = pool.borrow();
      served.push_back(i);
    });
    wait_until_waiting(pool, static_cast<std::size_t>(i) + 1);
  }

  lease.release();
  for (auto& waiter : waiters) waiter.join();

  EXPECT_EQ(served, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Pool, LetsNobodyOvertakeAWaiter) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto first = pool.borrow();
  auto second = pool.borrow();
  std::atomic<bool> may_return{false};
  std::thread waiter([&] {
    const auto mine = pool.borrow();
    while (!may_return) std::this_thread::yield();
  });
  wait_until_waiting(pool, 1);
  first.release();  // handed to the waiter

  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
            "pool.timeout");
  may_return = true;
  waiter.join();
}

TEST(Pool, LosesNothingWhenAWaiterGivesUp) {
  StubDriver driver;
  Pool pool(options(1), driver);
  {
    auto lease = pool.borrow();
    EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
              "pool.timeout");
  }
  EXPECT_TRUE(pool.borrow({.deadline = soon(1ms)}));
  EXPECT_EQ(pool.stats().timeouts, 1U);
  EXPECT_EQ(pool.stats().waiting, 0U);
}

TEST(Pool, ReplacesABrokenConnection) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  const int broken = number_of(lease);
  break_connection(lease);
  lease.release();

  EXPECT_NE(number_of(pool.borrow()), broken);
  EXPECT_EQ(pool.stats().closed_broken, 1U);
  EXPECT_EQ(driver.open_max(), 1);
}

TEST(Pool, HandsTheSlotOfABrokenConnectionToTheWaiter) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  std::thread waiter([&] { EXPECT_EQ(number_of(pool.borrow()), 2); });
  wait_until_waiting(pool, 1);

  break_connection(lease);
  lease.release();
  waiter.join();
  EXPECT_EQ(driver.open_max(), 1);
}

TEST(Pool, RollsBackWhatABorrowerLeftOpen) {
  StubDriver driver;
  Pool pool(options(1), driver);
  {
    auto lease = pool.borrow();
    lease->begin({});
  }
  EXPECT_EQ(driver.diary(), (test::Diary{"1 begin", "1 rollback"}));
}

TEST(Pool, DiscardsAConnectionThatCannotBeCleaned) {
  StubDriver driver;
  Pool pool(options(1), driver);
  driver.at(StubPoint::reset, [] { throw test::server_away(); });
  pool.borrow().release();

  EXPECT_EQ(number_of(pool.borrow()), 2);
}

TEST(Pool, KeepsWritersAndReadersApartOnADatabaseWithOneWriter) {
  StubDriver driver({.name = "stub", .single_writer = true, .pool_size_default = 3});
  auto three = options(3);
  Pool pool(three, driver);
  auto writer = pool.borrow();
  auto reader = pool.borrow({.access = Access::read_only});
  auto another = pool.borrow({.access = Access::read_only});

  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
            "pool.timeout");
  EXPECT_EQ(code_of([&] { writer->execute("insert"); }), "");
  EXPECT_EQ(code_of([&] { reader->execute("insert"); }), "sql.read_only");
}

TEST(Pool, ServesReadersFromTheWriterWhenThereIsButOneConnection) {
  StubDriver driver({.name = "stub", .single_writer = true, .pool_size_default = 3});
  Pool pool(options(1), driver);
  EXPECT_EQ(code_of([&] { pool.borrow({.access = Access::read_only})->execute("insert"); }), "");
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
  driver.at(StubPoint::validate, [] { throw test::server_away(); });

  EXPECT_EQ(number_of(pool.borrow()), 1);
  clock.advance(6s);
  EXPECT_EQ(number_of(pool.borrow()), 2);
  EXPECT_EQ(pool.stats().closed_invalid, 1U);
}

TEST(Pool, KeepsIdleConnectionsAliveAndReplacesTheDead) {
  ManualClock clock;
  StubDriver driver;
  auto kept = options(1);
  kept.keepalive_every = 10s;
  kept.clock = &clock;
  Pool pool(kept, driver);
  driver.at(StubPoint::validate, [] { throw test::server_away(); });
  clock.advance(11s);

  pool.maintain();

  EXPECT_EQ(driver.open(), 1);  // filled up to the minimum again
  EXPECT_EQ(number_of(pool.borrow()), 2);
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

TEST(Pool, TellsHowMuchOfALoanRanSql) {
  StubDriver driver;
  Pool pool(options(1), driver);
  const auto busy_for = [](std::chrono::milliseconds time) {
    const auto until = soon(time);
    while (Clock::Steady::clock::now() < until) {
    }
  };
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

TEST(Pool, DrainsOnceEverythingIsBack) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto lease = pool.borrow();
  EXPECT_FALSE(pool.drain(soon(1ms)));
  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow()); }), "pool.closed");

  std::thread holder([held = std::move(lease)]() mutable { held.release(); });
  EXPECT_TRUE(pool.drain(kNoDeadline));
  holder.join();
  EXPECT_EQ(driver.open(), 0);
}

TEST(Pool, SendsWaitersAwayWhenItIsDrained) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  std::string code;
  std::thread waiter([&] { code = code_of([&] { static_cast<void>(pool.borrow()); }); });
  wait_until_waiting(pool, 1);

  EXPECT_FALSE(pool.drain(soon(1ms)));
  waiter.join();
  EXPECT_EQ(code, "pool.closed");
  lease.release();
}

TEST(Pool, ManagesMoreConnectionsThanOneWordHolds) {
  constexpr std::size_t kSize = 150;
  StubDriver driver;
  Pool pool(options(kSize), driver);
  std::vector<Pool::Lease> leases;
  for (std::size_t i = 0; i < kSize; ++i) leases.push_back(pool.borrow());
  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
            "pool.timeout");
  leases.clear();
  EXPECT_EQ(pool.stats().idle, kSize);
  for (std::size_t i = 0; i < kSize; ++i) leases.push_back(pool.borrow());
  EXPECT_EQ(pool.stats().created, kSize);
}

TEST(LeaseDeathTest, IsNotUsedAfterItsRelease) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  lease.release();
  lease.release();  // harmless
  EXPECT_DEATH(lease->execute("select 1"), "after its release");
}

TEST(PoolDeathTest, OutlivesItsLeases) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        StubDriver driver;
        auto pool = std::make_unique<Pool>(options(1), driver);
        auto lease = pool->borrow();
        pool.reset();
      },
      "still borrowed");
}

}  // namespace
}  // namespace carrel
