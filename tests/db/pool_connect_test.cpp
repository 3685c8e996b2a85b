// How many connect at a time, and how long nobody does after a failure.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "carrel/db/pool.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST(PoolConnect, NoMoreThanConnectingMaxAreOpenedAtATimeAndTheOthersWaitInLine) {
  constexpr int kBorrowers = 8;
  constexpr int kAtATime = 3;
  StubDriver driver;
  auto lazy = options(kBorrowers);
  lazy.connecting_max = kAtATime;
  lazy.connect_at_start = false;
  lazy.size_min = kBorrowers;
  Pool pool(lazy, driver);
  Halt halt;
  driver.at(StubPoint::connect, [&] { halt.pass(); }, kBorrowers);

  std::vector<Pool::Lease> leases(kBorrowers);
  std::vector<std::thread> borrowers;
  for (auto& lease : leases) borrowers.emplace_back([&] { lease = pool.borrow(); });
  while (pool.stats().waiting + static_cast<std::size_t>(halt.inside()) != kBorrowers)
    std::this_thread::yield();
  EXPECT_EQ(halt.inside(), kAtATime);
  pool.maintain();  // would like to fill up to the minimum, and may not
  EXPECT_EQ(pool.stats().size, static_cast<std::size_t>(kAtATime));

  halt.open();
  for (auto& borrower : borrowers) borrower.join();
  EXPECT_EQ(halt.most(), kAtATime);
  EXPECT_EQ(driver.open(), kBorrowers);
}

TEST(PoolConnect, AFailedAttemptLetsTheNextInLineTry) {
  StubDriver driver;
  auto lazy = options(2);
  lazy.connecting_max = 1;
  lazy.connect_at_start = false;
  Pool pool(lazy, driver);
  Halt halt;
  driver.at(StubPoint::connect, [&] {
    halt.pass();
    throw SqlError("sql.access_denied", {.message = "no"});  // thrown at once
  });

  std::string code;
  std::thread first([&] { code = code_of([&] { static_cast<void>(pool.borrow()); }); });
  halt.wait_until_inside(1);
  std::thread second([&] { EXPECT_TRUE(pool.borrow()); });
  wait_until_waiting(pool, 1);
  halt.open();
  first.join();
  second.join();
  EXPECT_EQ(code, "sql.access_denied");
}

// Two connect at the same time; the first to end fails, the other one does not.
TEST(PoolConnect, AConnectionEndsThePauseThatAnotherFailureBegan) {
  ManualClock clock;  // stands still: nothing else ends a pause
  StubDriver driver;
  auto lazy = options(3);
  lazy.connect_at_start = false;
  lazy.clock = &clock;
  Pool pool(lazy, driver);
  Halt halt;
  driver.at(StubPoint::connect, [&] { halt.pass(); });
  driver.at(StubPoint::connect, [] { throw server_away(); });
  Pool::Lease slow;
  std::thread borrower([&] { slow = pool.borrow(); });
  halt.wait_until_inside(1);
  const auto borrow = [&] { return pool.borrow({.deadline = soon(0ms)}); };
  for (int i = 0; i < 2; ++i)  // fails, and is kept from trying again
    EXPECT_EQ(code_of([&] { static_cast<void>(borrow()); }), "pool.timeout");
  EXPECT_EQ(pool.stats().connect_failures, 1U);

  halt.open();
  borrower.join();
  EXPECT_TRUE(borrow());
}

// A server that is away, and a clock that stands still until it is advanced. Who tries to connect
// is a borrower that would not outlast any pause, or the pool's maintenance.
class PoolConnectPause : public testing::TestWithParam<std::string_view> {
 protected:
  [[nodiscard]] std::uint64_t failures() const { return pool_.stats().connect_failures; }
  void try_to_connect() {
    if (GetParam() == "Maintenance") return pool_.maintain();
    static_cast<void>(code_of([&] { static_cast<void>(pool_.borrow({.deadline = soon(0ms)})); }));
  }
  void let_it_fail(int times) {
    driver_.at(StubPoint::connect, [] { throw server_away(); }, times);
  }
  void fail() {
    const auto before = failures();
    try_to_connect();
    ASSERT_EQ(failures(), before + 1);
  }
  // Nobody connects before the pause is over; then somebody does, and fails again.
  void expect_pause_and_fail(milliseconds pause) {
    const auto before = failures();
    try_to_connect();
    clock_.advance(pause - 1ns);
    try_to_connect();
    EXPECT_EQ(failures(), before) << "before " << pause.count() << " ms were over";
    clock_.advance(1ns);
    try_to_connect();
    EXPECT_EQ(failures(), before + 1) << "after " << pause.count() << " ms";
  }

  ManualClock clock_;
  StubDriver driver_;
  Pool pool_{[this] {
               auto lazy = options(2);
               lazy.connect_at_start = false;
               lazy.clock = &clock_;
               return lazy;
             }(),
             driver_};
};

TEST_P(PoolConnectPause, GrowsFromFailureToFailureUpToALongest) {
  let_it_fail(1'000);
  fail();
  for (const auto pause : {50ms, 100ms, 200ms, 400ms, 800ms, 1'600ms, 1'600ms, 1'600ms})
    expect_pause_and_fail(pause);
}

TEST_P(PoolConnectPause, IsTheShortestAgainAfterAConnection) {
  let_it_fail(4);
  fail();
  for (const auto pause : {50ms, 100ms, 200ms}) expect_pause_and_fail(pause);
  clock_.advance(400ms);
  try_to_connect();
  ASSERT_EQ(driver_.open(), 1);

  {
    const auto lease = pool_.borrow();
    break_connection(lease);
  }
  let_it_fail(2);
  fail();  // with no pause left over from before
  expect_pause_and_fail(50ms);
}

TEST_P(PoolConnectPause, DoesNotGrowWhereTheCallersOwnDeadlineCameFirst) {
  const auto too_late = [] {
    throw SqlError("sql.deadline", {.message = "late", .traits = {.retryable = true}});
  };
  let_it_fail(3);
  fail();
  for (const auto pause : {50ms, 100ms}) expect_pause_and_fail(pause);
  driver_.at(StubPoint::connect, too_late, 2);
  expect_pause_and_fail(200ms);
  expect_pause_and_fail(50ms);
  let_it_fail(2);
  expect_pause_and_fail(50ms);
  expect_pause_and_fail(400ms);  // goes on growing where it had been
}

TEST_P(PoolConnectPause, IsOverWhereTheClockHasGoneBack) {
  clock_.advance(10h);
  let_it_fail(2);
  fail();
  clock_.advance(-9h);
  fail();
}

INSTANTIATE_TEST_SUITE_P(Who, PoolConnectPause, testing::Values("ABorrower", "Maintenance"),
                         [](const auto& who) { return std::string(who.param); });

TEST(PoolDeathTest, NamesOptionsThatMakeNoSense) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  StubDriver driver;
  auto serves_nobody = options(1);
  serves_nobody.connecting_max = 0;
  EXPECT_DEATH(Pool(serves_nobody, driver), "serves nobody");
  auto lives_less_than_nothing = options(1);
  lives_less_than_nothing.life_jitter = 1.1;
  EXPECT_DEATH(Pool(lives_less_than_nothing, driver), "life_jitter");
}

}  // namespace
}  // namespace carrel::test
