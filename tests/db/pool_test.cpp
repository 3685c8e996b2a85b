#include "carrel/db/pool.h"

#include <gtest/gtest.h>

#include <deque>
#include <string_view>
#include <thread>

#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

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

// More other pools than a thread remembers: some clash with the pool in what the thread remembers.
class PoolWhoseDriverBorrows : public testing::Test {
 protected:
  static constexpr int kOthers = 16;

  PoolWhoseDriverBorrows() {
    for (int i = 0; i < kOthers; ++i) others_.emplace_back(options(1), other_driver_);
  }
  void borrow_from_all_others() {
    for (auto& other : others_) static_cast<void>(other.borrow());
  }
  // Whether each pool lends its own. Last first: one that was used earlier forgets what clashes.
  void expect_nothing_mixed_up() {
    for (auto other = others_.rbegin(); other != others_.rend(); ++other) {
      const auto lease = other->borrow();
      EXPECT_EQ(other->stats().active, 1U);
      EXPECT_EQ(pool_.stats().active, 0U);
    }
  }

  StubDriver driver_;
  StubDriver other_driver_;
  ManualClock clock_;
  Pool pool_{[this] {
               auto own = options(1);
               own.connect_at_start = false;
               own.clock = &clock_;
               own.label = [this] {
                 borrow_from_all_others();
                 return std::string_view("a borrower");
               };
               return own;
             }(),
             driver_};
  std::deque<Pool> others_;
};

TEST_F(PoolWhoseDriverBorrows, WhileConnectingGetsNothingMixedUp) {
  driver_.at(StubPoint::connect, [this] { borrow_from_all_others(); });
  pool_.borrow().release();
  expect_nothing_mixed_up();
}

TEST_F(PoolWhoseDriverBorrows, WhileTheBorrowerIsNamedGetsNothingMixedUp) {
  Pool held(options(1), other_driver_);
  const auto lease = held.borrow({.stays_on_thread = true});  // only holders are asked for a name
  pool_.borrow({.stays_on_thread = true}).release();
  expect_nothing_mixed_up();
}

TEST_F(PoolWhoseDriverBorrows, WhileValidatingGetsNothingMixedUp) {
  pool_.borrow().release();
  clock_.advance(std::chrono::minutes(1));
  driver_.at(StubPoint::validate, [this] { borrow_from_all_others(); });
  pool_.borrow().release();
  expect_nothing_mixed_up();
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
  driver.at(StubPoint::ask_limit, [] { throw server_away(); });
  Pool pool(lazy, driver);
  driver.at(StubPoint::connect, [] { throw SqlError("sql.access_denied", {.message = "no"}); });

  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow()); }), "sql.access_denied");
  EXPECT_TRUE(pool.borrow());  // the slot was not lost
}

TEST(Pool, RefusesToBeLargerThanTheServerAllows) {
  StubDriver driver;
  driver.limit_connections(3);
  EXPECT_EQ(code_of([&] { Pool pool(options(4), driver); }), "pool.too_large");
  EXPECT_EQ(code_of([&] { Pool pool(options(3), driver); }), "");
}

TEST(Pool, LendsNoConnectionWithTheDeadlineOfWhoHadItBefore) {
  StubDriver driver;
  Pool pool(options(1), driver);
  pool.borrow()->set_deadline(soon(1ms));
  EXPECT_EQ(pool.borrow()->deadline(), kNoDeadline);
}

TEST(Pool, TriesAgainWhileTheServerIsAway) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw server_away(); }, 2);

  EXPECT_TRUE(pool.borrow());
  EXPECT_EQ(pool.stats().connect_failures, 2U);
}

TEST(Pool, SaysWhyNobodyCouldConnectInTime) {
  StubDriver driver;
  Pool pool(options(2), driver);
  auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw server_away(); }, 1'000);

  try {
    static_cast<void>(pool.borrow({.deadline = soon(1ms)}));
    FAIL() << "borrowed from a server that is away";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "pool.timeout");
    EXPECT_TRUE(error.retryable());
    EXPECT_NE(std::string_view(error.what()).find("nobody there"), std::string_view::npos);
  }
}

TEST(Pool, BlamesNoServerThatHasBeenReachedSince) {
  StubDriver driver;
  Pool pool(options(2), driver);
  const auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw server_away(); });
  const auto second = pool.borrow();
  try {
    static_cast<void>(pool.borrow({.deadline = soon(1ms)}));
    FAIL() << "borrowed a third of two";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "pool.timeout");
    EXPECT_EQ(std::string_view(error.what()).find("nobody there"), std::string_view::npos);
  }
}

TEST(Pool, BorrowersThatGiveUpMeetAServerThatIsAwayNoMoreOftenThanOneThatWaits) {
  StubDriver driver;
  Pool pool(options(2), driver);
  const auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw server_away(); }, 1'000);

  const auto before = Clock::Steady::clock::now();
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
              "pool.timeout");
  const auto pauses = (Clock::Steady::clock::now() - before) / 50ms;  // the shortest one
  EXPECT_LE(pool.stats().connect_failures, 1U + static_cast<std::uint64_t>(pauses));
  EXPECT_GE(pool.stats().connect_failures, 1U);
}

TEST(Pool, AConnectionAtLastEndsThePauseForEverybody) {
  StubDriver driver;
  Pool pool(options(3), driver);
  const auto first = pool.borrow();
  driver.at(StubPoint::connect, [] { throw server_away(); }, 3);

  const auto second = pool.borrow();
  const auto third = pool.borrow({.deadline = soon(0ms)});  // would not outlast any pause
  EXPECT_EQ(pool.stats().connect_failures, 3U);
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
  EXPECT_EQ(driver.diary(), (Diary{"1 begin", "1 rollback"}));
}

TEST(Pool, DiscardsAConnectionThatCannotBeCleaned) {
  StubDriver driver;
  Pool pool(options(1), driver);
  driver.at(StubPoint::reset, [] { throw server_away(); });
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

TEST(Lease, MovedOntoItselfIsStillOnLoan) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  auto& same = lease;
  lease = std::move(same);
  EXPECT_EQ(pool.stats().active, 1U);
  EXPECT_EQ(number_of(lease), 1);
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
}  // namespace carrel::test
