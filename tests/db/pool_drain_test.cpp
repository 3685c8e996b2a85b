// Draining a pool in the middle of whatever else it does.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "carrel/db/pool.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

PoolOptions lazy(std::size_t size) {
  auto lazy = options(size);
  lazy.connect_at_start = false;
  return lazy;
}

TEST(PoolDrain, EndsOnceEverythingIsBack) {
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

TEST(PoolDrain, SendsWaitersAway) {
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
  EXPECT_EQ(driver.open(), 0);  // although nobody waits any more
}

TEST(PoolDrain, RefusesNewcomersAtOnceAlsoWhereAllAreOnLoan) {
  StubDriver driver;
  Pool pool(options(1), driver);
  auto lease = pool.borrow();
  EXPECT_FALSE(pool.drain(soon(1ms)));
  EXPECT_EQ(code_of([&] { static_cast<void>(pool.borrow({.deadline = soon(1ms)})); }),
            "pool.closed");
  lease.release();
}

TEST(PoolDrain, CountsWhatItClosed) {
  StubDriver driver;
  Pool pool(options(3), driver);
  {
    auto lease = pool.borrow();
    const auto broken = pool.borrow();
    const auto other = pool.borrow();
    break_connection(broken);
  }
  auto late = pool.borrow();
  EXPECT_FALSE(pool.drain(soon(1ms)));
  EXPECT_EQ(pool.stats().closed_drained, 1U);  // what was idle
  late.release();

  const auto stats = pool.stats();
  EXPECT_EQ(stats.closed_drained, 2U);
  EXPECT_EQ(stats.closed_broken, 1U);
  EXPECT_EQ(stats.created, stats.closed_drained + stats.closed_broken);
  EXPECT_EQ(stats.size, 0U);
}

// The server is away: the borrower is on its way into the pause after its first attempt, or in it.
// The second would succeed.
TEST(PoolDrain, SendsABorrowerAwayThatPausesBetweenItsAttempts) {
  StubDriver driver;
  Pool pool(lazy(1), driver);
  driver.at(StubPoint::connect, [] { throw server_away(); });
  std::string code;
  std::thread borrower([&] { code = code_of([&] { static_cast<void>(pool.borrow()); }); });
  while (pool.stats().connect_failures == 0) std::this_thread::yield();

  EXPECT_TRUE(pool.drain(kNoDeadline));
  borrower.join();
  EXPECT_EQ(code, "pool.closed");
  EXPECT_EQ(pool.stats().created, 0U);
}

// A clock that stands still, and a server that has been away for so long that the pause is the
// longest: that is how long a borrower waits before it asks for a connection, if nothing wakes it.
class LongPause : public testing::Test {
 protected:
  LongPause() {
    driver_.at(StubPoint::connect, [] { throw server_away(); }, kFailures);
    for (int i = 0; i < kFailures; ++i) {
      clock_.advance(kLongest);
      static_cast<void>(code_of([&] { static_cast<void>(pool_.borrow({.deadline = soon(0ms)})); }));
    }
  }

  static bool is_waiting(pid_t thread) {
    std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("State:")) return line.find('S') != std::string::npos;
    }
    return false;
  }

  static constexpr auto kLongest = 1'600ms;
  static constexpr int kFailures = 6;
  StubDriver driver_;
  ManualClock clock_;
  Pool pool_{[this] {
               auto own = lazy(1);
               own.clock = &clock_;
               return own;
             }(),
             driver_};
};

TEST_F(LongPause, IsCutShort) {
  ASSERT_EQ(pool_.stats().connect_failures, static_cast<std::uint64_t>(kFailures));
  std::atomic<pid_t> thread{0};
  std::string code;
  std::thread borrower([&] {
    thread = ::gettid();
    code = code_of([&] { static_cast<void>(pool_.borrow()); });
  });
  while (pool_.stats().size == 0) std::this_thread::yield();  // it has got the place
  while (!is_waiting(thread)) std::this_thread::yield();

  EXPECT_TRUE(pool_.drain(soon(kLongest - 100ms)));  // sooner than it would have woken
  borrower.join();
  EXPECT_EQ(code, "pool.closed");
  EXPECT_EQ(pool_.stats().created, 0U);
}

TEST_F(LongPause, EndsAtTheBorrowersOwnDeadline) {
  const auto begun = Clock::Steady::clock::now();
  EXPECT_EQ(code_of([&] { static_cast<void>(pool_.borrow({.deadline = soon(5ms)})); }),
            "pool.timeout");
  EXPECT_LT(Clock::Steady::clock::now(), begun + kLongest - 100ms);  // sooner than the pause does
}

TEST(PoolDrain, WaitsForABorrowerThatConnectsAndClosesWhatItGot) {
  StubDriver driver;
  Pool pool(lazy(2), driver);
  Halt halt;
  driver.at(StubPoint::connect, [&] { halt.pass(); });
  std::thread borrower([&] {
    const auto lease = pool.borrow();  // it came before the drain, and is served
    lease->execute("insert");
  });
  halt.wait_until_inside(1);

  EXPECT_FALSE(pool.drain(soon(1ms)));
  EXPECT_EQ(pool.stats().size, 1U);
  halt.open();
  EXPECT_TRUE(pool.drain(kNoDeadline));
  borrower.join();
  EXPECT_EQ(driver.diary(), (Diary{"1 insert"}));
  EXPECT_EQ(driver.open(), 0);
  EXPECT_EQ(pool.stats().closed_drained, 1U);
}

TEST(PoolDrain, SendsABorrowerAwayWhoseConnectingFailsMeanwhile) {
  StubDriver driver;
  Pool pool(lazy(2), driver);
  Halt halt;
  driver.at(StubPoint::connect, [&] {
    halt.pass();
    throw server_away();
  });
  std::string code;
  std::thread borrower([&] { code = code_of([&] { static_cast<void>(pool.borrow()); }); });
  halt.wait_until_inside(1);

  EXPECT_FALSE(pool.drain(soon(1ms)));
  halt.open();
  EXPECT_TRUE(pool.drain(kNoDeadline));
  borrower.join();
  EXPECT_EQ(code, "pool.closed");
  EXPECT_EQ(pool.stats().connect_failures, 1U);
  EXPECT_EQ(pool.stats().created, 0U);
}

TEST(PoolDrain, EndsTheWarmUpAndClosesWhatItOpened) {
  StubDriver driver;
  auto warm = lazy(4);
  warm.size_min = 4;
  Pool pool(warm, driver);
  Halt halt;
  driver.at(StubPoint::connect, [] {});
  driver.at(StubPoint::connect, [&] { halt.pass(); });  // the second of the four
  std::thread warming([&] { pool.maintain(); });
  halt.wait_until_inside(1);

  EXPECT_FALSE(pool.drain(soon(1ms)));
  EXPECT_EQ(pool.stats().closed_drained, 1U);  // the first, which idled
  halt.open();
  warming.join();
  EXPECT_TRUE(pool.drain(kNoDeadline));
  EXPECT_EQ(driver.open(), 0);
  EXPECT_EQ(pool.stats().created, 2U);
  EXPECT_EQ(pool.stats().closed_drained, 2U);
}

TEST(PoolDrain, DestroyingAPoolThatWarmsUpLeavesNoConnection) {
  StubDriver driver;
  auto warm = lazy(4);
  warm.size_min = 4;
  warm.maintain_every = 1ms;
  Halt halt;
  driver.at(StubPoint::connect, [&] { halt.pass(); });
  auto pool = std::make_unique<Pool>(warm, driver);
  halt.wait_until_inside(1);  // the pool's own thread
  std::thread ending([&] { pool.reset(); });
  halt.open();
  ending.join();
  EXPECT_EQ(driver.open(), 0);
}

TEST(PoolDrain, AStartThatFailsHalfWayLeavesNoConnection) {
  StubDriver driver;
  auto warm = options(4);
  warm.size_min = 3;
  driver.at(StubPoint::connect, [] {}, 2);
  driver.at(StubPoint::connect, [] { throw SqlError("sql.access_denied", {.message = "no"}); });

  EXPECT_EQ(code_of([&] { Pool pool(warm, driver); }), "sql.access_denied");
  EXPECT_EQ(driver.open_max(), 2);
  EXPECT_EQ(driver.open(), 0);
}

TEST(PoolDrain, TheStartOpensTheMinimum) {
  StubDriver driver;
  auto warm = options(4);
  warm.size_min = 3;
  const Pool pool(warm, driver);
  EXPECT_EQ(driver.open(), 3);
  EXPECT_EQ(pool.stats().idle, 3U);
}

TEST(PoolDrain, WaitsForTheWriterAndForTheReaders) {
  StubDriver driver({.name = "stub", .single_writer = true, .pool_size_default = 3});
  for (const auto access : {Access::read_write, Access::read_only}) {
    Pool pool(options(3), driver);
    auto lease = pool.borrow({.access = access});
    EXPECT_FALSE(pool.drain(soon(1ms)));
    lease.release();
    EXPECT_TRUE(pool.drain(kNoDeadline));
  }
}

TEST(PoolDrain, MayBeAskedForTwice) {
  StubDriver driver;
  Pool pool(options(2), driver);
  EXPECT_TRUE(pool.drain(kNoDeadline));
  EXPECT_TRUE(pool.drain(kNoDeadline));
  pool.maintain();  // opens nothing any more
  EXPECT_EQ(driver.open(), 0);
  EXPECT_EQ(pool.stats().closed_drained, 1U);
}

}  // namespace
}  // namespace carrel::test
