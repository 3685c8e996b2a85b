#include <gtest/gtest.h>

#include <barrier>
#include <random>
#include <thread>

#include "carrel/db/pool.h"
#include "db/stub_driver.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;
using test::StubDriver;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kScale = 1;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr int kScale = 1;
#else
constexpr int kScale = 10;
#endif
#else
constexpr int kScale = 10;
#endif

template <class F>
void run_threads(int count, F&& body) {
  std::barrier start(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(PoolStress, NeverOpensMoreThanItsSizeNorLendsOneTwice) {
  constexpr int kThreads = 50;
  constexpr int kBorrows = kScale == 1 ? 1'000 : 50'000;
  StubDriver driver;
  Pool pool({.size_max = 8, .acquire_max = 600s, .maintain_every = 0ms}, driver);
  std::array<std::atomic<int>, 1 << 16> users{};

  run_threads(kThreads, [&](int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread) + 1);
    for (int i = 0; i < kBorrows; ++i) {
      const auto lease = pool.borrow();
      auto& connection = dynamic_cast<test::StubConnection&>(*lease);
      auto& using_it = users[static_cast<std::size_t>(connection.number()) % users.size()];
      ASSERT_EQ(using_it.fetch_add(1), 0);
      if (random() % 1'000 == 0) connection.break_now();
      using_it.fetch_sub(1);
    }
  });

  const auto stats = pool.stats();
  EXPECT_LE(driver.open_max(), 8);
  EXPECT_EQ(stats.borrowed, static_cast<std::uint64_t>(kThreads) * kBorrows);
  EXPECT_EQ(stats.size, static_cast<std::size_t>(driver.open()));
  EXPECT_EQ(stats.idle, stats.size);
  EXPECT_EQ(stats.active, 0U);
  EXPECT_EQ(stats.created, stats.size + stats.closed_broken);
  EXPECT_EQ(stats.waiting, 0U);
}

TEST(PoolStress, LosesNoConnectionWhenGrantsMeetTimeOuts) {
  constexpr int kThreads = 16;
  constexpr int kBorrows = 100 * kScale;
  StubDriver driver;
  Pool pool({.size_max = 2, .acquire_max = 600s, .maintain_every = 0ms}, driver);
  std::atomic<int> served{0};
  std::atomic<int> gave_up{0};

  run_threads(kThreads, [&](int thread) {
    std::minstd_rand random(static_cast<unsigned>(thread) + 1);
    for (int i = 0; i < kBorrows; ++i) {
      const auto patience = std::chrono::microseconds(random() % 100);
      try {
        const auto lease = pool.borrow({.deadline = Clock::Steady::clock::now() + patience});
        std::this_thread::yield();
        ++served;
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), "pool.timeout");
        ++gave_up;
      }
    }
  });

  EXPECT_EQ(served + gave_up, kThreads * kBorrows);
  EXPECT_EQ(pool.stats().active, 0U);
  EXPECT_EQ(pool.stats().waiting, 0U);
  const auto one = pool.borrow();
  EXPECT_TRUE(pool.borrow());
}

TEST(PoolStress, SurvivesMaintenanceAndADrainInTheMiddle) {
  constexpr int kThreads = 8;
  StubDriver driver;
  Pool pool({.size_max = 4,
             .idle_max = 1ms,
             .life_max = 2ms,
             .validate_after = 1ms,
             .keepalive_every = 1ms,
             .maintain_every = 1ms},
            driver);
  std::atomic<int> borrowed{0};

  run_threads(kThreads + 1, [&](int thread) {
    if (thread == kThreads) {
      while (borrowed < 200 * kScale) std::this_thread::yield();
      EXPECT_TRUE(pool.drain(kNoDeadline));
      return;
    }
    try {
      for (;;) {
        const auto lease = pool.borrow();
        ++borrowed;
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), "pool.closed");
    }
  });

  EXPECT_EQ(driver.open(), 0);
  EXPECT_LE(driver.open_max(), 4);
}

}  // namespace
}  // namespace carrel
