#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "carrel/db/pool.h"
#include "carrel/db/pool_group.h"
#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;
using test::StubDriver;
using test::wait_until_waiting;

constexpr BorrowOptions kOnThread{.stays_on_thread = true};

PoolOptions named(std::string name, std::size_t size) {
  return {.name = std::move(name),
          .size_max = size,
          .acquire_max = 60s,
          .label = [] { return std::string_view("a task"); },
          .maintain_every = 0ms};
}

std::string refusal(Pool& pool) {
  try {
    static_cast<void>(pool.borrow(kOnThread));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "would_deadlock");
    return error.what();
  }
  return {};
}

TEST(HoldAndWait, WaitingForOneselfIsRefusedAtOnce) {
  StubDriver driver;
  Pool pool(named("only", 1), driver);
  const auto outer = pool.borrow(kOnThread);

  const auto message = refusal(pool);

  EXPECT_NE(message.find("'only'"), std::string::npos) << message;
  EXPECT_NE(message.find("a task"), std::string::npos) << message;
  EXPECT_EQ(pool.stats().deadlocks_refused, 1U);
  EXPECT_EQ(pool.stats().waiting, 0U);
}

TEST(HoldAndWait, ASecondConnectionIsLentWhileThereIsOne) {
  StubDriver driver;
  Pool pool(named("two", 2), driver);
  const auto outer = pool.borrow(kOnThread);
  EXPECT_TRUE(pool.borrow(kOnThread));
}

TEST(HoldAndWait, AHolderThatRunsIsWaitedFor) {
  StubDriver driver;
  Pool pool(named("two", 2), driver);
  std::latch both(2);
  std::thread runner;
  {
    auto mine = pool.borrow(kOnThread);
    runner = std::thread([&] {
      const auto lease = pool.borrow(kOnThread);
      both.count_down();
      wait_until_waiting(pool, 1);  // and only then goes back
    });
    both.arrive_and_wait();
    EXPECT_TRUE(pool.borrow(kOnThread));
  }
  runner.join();
}

// A thread that could not connect holds nothing of that pool, whatever it waits for afterwards.
TEST(HoldAndWait, WhoseConnectFailedIsNoHolder) {
  StubDriver driver;
  PoolGroup group({.connections_max = 1, .maintain_every = {}});
  auto grouped = named("failed", 1);
  grouped.group = &group;
  Pool failed(grouped, driver);
  grouped.name = "other";
  Pool other(grouped, driver);
  Pool mine(named("mine", 1), driver);
  Pool its(named("its", 1), driver);
  auto held = mine.borrow(kOnThread);
  std::thread waits([&] {
    const auto lease = its.borrow(kOnThread);
    driver.at(test::StubPoint::connect,
              [] { throw SqlError("sql.access_denied", {.message = "no"}); });
    EXPECT_EQ(code_of([&] { static_cast<void>(failed.borrow(kOnThread)); }), "sql.access_denied");
    EXPECT_TRUE(mine.borrow(kOnThread));
  });
  wait_until_waiting(mine, 1);
  const auto runs = other.borrow();  // the group's only connection, by somebody who may go on
  EXPECT_EQ(
      code_of([&] {
        static_cast<void>(failed.borrow({.deadline = test::soon(5ms), .stays_on_thread = true}));
      }),
      "pool.timeout");
  held.release();
  waits.join();
}

// Two threads that each hold one of the last two connections and want another: whoever comes second
// is refused, and the first is served.
TEST(HoldAndWait, TheThreadThatClosesACircleIsRefused) {
  StubDriver driver;
  Pool first(named("first", 1), driver);
  Pool second(named("second", 1), driver);
  std::latch both(2);
  bool served = false;
  std::thread other([&] {
    const auto lease = second.borrow(kOnThread);
    both.arrive_and_wait();
    served = static_cast<bool>(first.borrow(kOnThread));
  });
  {
    const auto lease = first.borrow(kOnThread);
    both.arrive_and_wait();
    wait_until_waiting(first, 1);
    EXPECT_NE(refusal(second).find("'second'"), std::string::npos);
  }
  other.join();
  EXPECT_TRUE(served);
}

TEST(HoldAndWait, AHolderThatIsNotBoundToItsThreadCountsAsRunning) {
  StubDriver driver;
  Pool pool(named("only", 1), driver);
  auto lease = pool.borrow();  // may be returned by anybody
  std::thread other([&] {
    wait_until_waiting(pool, 1);
    lease.release();
  });
  EXPECT_TRUE(pool.borrow(kOnThread));
  other.join();
}

// A refusal is needed where each of the four connections is held by a thread that wants another. As
// many then are between asking and having, and stay there until the one that was refused gives its
// own back; with fewer somebody runs.
TEST(HoldAndWait, ManyThreadsThatNestNeverHangAndNeverRefuseWithoutNeed) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 2'000;
  constexpr int kConnections = 4;
  StubDriver driver;
  Pool outer(named("outer", kConnections / 2), driver);
  Pool inner(named("inner", kConnections / 2), driver);
  std::atomic<int> done{0};
  std::atomic<int> held_so_far{0};
  std::atomic<int> ask{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        auto& from = t % 2 == 0 ? outer : inner;
        auto& to = t % 2 == 0 ? inner : outer;
        const auto held = from.borrow(kOnThread);
        ++held_so_far;
        while (held_so_far < kConnections) std::this_thread::yield();  // the first four: a circle
        ++ask;
        try {
          const auto wanted = to.borrow(kOnThread);
          --ask;
          std::this_thread::yield();
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), "would_deadlock");
          EXPECT_EQ(ask, kConnections) << "refused without need";
          ++refused;
          --ask;
        }
        ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
  EXPECT_GT(refused, 0);
  EXPECT_EQ(outer.stats().active + inner.stats().active, 0U);
}

// The main thread wants a connection of `hub`, whose holders wait: one for `long_line`, whose many
// slots take a while to look at, the other for a pool that lives only as long as the wait. What
// goes wrong here, sanitizers see.
TEST(HoldAndWait, APoolMayEndWhileOthersLookAtItsWaiters) {
  constexpr std::size_t kLong = 1'000;
  constexpr int kShortLives = 300;
  StubDriver driver;
  Pool own(named("own", 1), driver);
  Pool hub(named("hub", 2), driver);
  Pool long_line(named("long line", kLong), driver);
  Pool gate(named("gate", 1), driver);
  auto closed_gate = gate.borrow();  // by nobody in particular
  std::latch all_hold(3);
  std::atomic<bool> done{false};

  std::thread holds_long_line([&] {
    std::vector<Pool::Lease> leases;
    for (std::size_t i = 0; i < kLong; ++i) leases.push_back(long_line.borrow(kOnThread));
    all_hold.count_down();
    static_cast<void>(gate.borrow(kOnThread));
  });
  std::thread waits_for_long_line([&] {
    const auto lease = hub.borrow(kOnThread);
    all_hold.count_down();
    wait_until_waiting(gate, 1);
    static_cast<void>(long_line.borrow(kOnThread));
  });
  std::thread waits_for_short_lives([&] {
    const auto lease = hub.borrow(kOnThread);
    all_hold.count_down();
    wait_until_waiting(long_line, 1);
    for (int i = 0; i < kShortLives; ++i) {
      Pool short_lived(named("short-lived", 1), driver);
      const auto taken = short_lived.borrow();
      const auto deadline = Clock::Steady::clock::now() + std::chrono::microseconds(i % 100);
      EXPECT_THROW(
          static_cast<void>(short_lived.borrow({.deadline = deadline, .stays_on_thread = true})),
          Error);
    }
    done = true;
  });
  all_hold.wait();
  wait_until_waiting(long_line, 1);
  {
    const auto lease = own.borrow(kOnThread);
    while (!done) {
      const auto now = Clock::Steady::clock::now();
      try {
        static_cast<void>(hub.borrow({.deadline = now, .stays_on_thread = true}));
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), "pool.timeout");
      }
    }
  }
  closed_gate.release();
  for (auto* thread : {&holds_long_line, &waits_for_long_line, &waits_for_short_lives})
    thread->join();
}

}  // namespace
}  // namespace carrel
