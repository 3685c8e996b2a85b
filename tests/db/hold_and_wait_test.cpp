#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "carrel/db/pool.h"
#include "db/stub_driver.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;
using test::StubDriver;

constexpr BorrowOptions kOnThread{.stays_on_thread = true};

PoolOptions named(std::string name, std::size_t size) {
  return {.name = std::move(name),
          .size_max = size,
          .acquire_max = 60s,
          .label = [] { return std::string_view("a task"); },
          .maintain_every = 0ms};
}

void wait_until_waiting(const Pool& pool, std::size_t count) {
  while (pool.stats().waiting != count) std::this_thread::yield();
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

TEST(HoldAndWait, ManyThreadsThatNestNeverHangAndNeverRefuseWithoutNeed) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  StubDriver driver;
  Pool outer(named("outer", 2), driver);
  Pool inner(named("inner", 2), driver);
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        auto& from = t % 2 == 0 ? outer : inner;
        auto& to = t % 2 == 0 ? inner : outer;
        const auto held = from.borrow(kOnThread);
        try {
          const auto wanted = to.borrow(kOnThread);
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), "would_deadlock");
        }
        ++done;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, kThreads * kRounds);
  EXPECT_EQ(outer.stats().active + inner.stats().active, 0U);
}

}  // namespace
}  // namespace carrel
