// What looking after a pool does, and what it leaves alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/in_time.h"
#include "carrel/db/pool_group.h"
#include "db/pool_verbs.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

class PoolMaintenance : public testing::Test {
 protected:
  PoolMaintenance() {
    driver_.at(StubPoint::validate, [this] { ++asked_; }, 1'000);
  }
  [[nodiscard]] PoolOptions kept(std::size_t size) const {
    auto kept = options(size);
    kept.clock = &clock_;
    kept.keepalive_every = 60s;
    kept.validate_after = 24h;
    kept.idle_max = 0ms;
    kept.life_max = 0ms;
    return kept;
  }

  ManualClock clock_;
  StubDriver driver_;
  int asked_ = 0;
};

TEST_F(PoolMaintenance, AsksWhatIdlesOnceInEachKeepaliveEvery) {
  Pool pool(kept(1), driver_);
  for (int seconds = 1; seconds <= 180; ++seconds) {
    clock_.advance(1s);
    pool.maintain();
    EXPECT_EQ(asked_, seconds / 60) << seconds;
  }
  clock_.advance(59s);
  pool.borrow().release();  // which is a sign of life too
  for (int i = 0; i < 2; ++i) {
    pool.maintain();
    clock_.advance(30s);
  }
  EXPECT_EQ(asked_, 3);
  pool.maintain();
  EXPECT_EQ(asked_, 4);
}

TEST_F(PoolMaintenance, AsksNothingWhereKeepalivesAreOff) {
  auto silent = kept(1);
  silent.keepalive_every = 0ms;
  Pool pool(silent, driver_);
  clock_.advance(1h);
  pool.maintain();
  EXPECT_EQ(asked_, 0);
}

TEST_F(PoolMaintenance, AsksNothingWhereThereIsNoServer) {
  StubDriver embedded({.name = "stub", .remote = false, .pool_size_default = 1});
  embedded.at(StubPoint::validate, [this] { ++asked_; }, 1'000);
  auto watched = kept(1);
  watched.validate_after = 1s;
  watched.leak_after = 1h;  // so that the pool keeps time at all
  Pool pool(watched, embedded);
  clock_.advance(2h);
  pool.maintain();
  pool.borrow().release();
  EXPECT_EQ(asked_, 0);
}

TEST_F(PoolMaintenance, AsksNothingOfWhatItCloses) {
  for (const bool by_age : {true, false}) {
    auto ends = kept(2);
    (by_age ? ends.life_max : ends.idle_max) = 600s;
    ends.size_min = 0;
    Pool pool(ends, driver_);
    clock_.advance(601s);
    pool.maintain();
    EXPECT_EQ(asked_, 0);
    EXPECT_EQ(by_age ? pool.stats().closed_life : pool.stats().closed_idle, 1U);
  }
}

TEST_F(PoolMaintenance, FillsUpToTheMinimumWithinAcquireMaxHoweverFewMayConnectAtATime) {
  auto lazy = kept(5);
  lazy.connect_at_start = false;
  lazy.size_min = 4;
  lazy.connecting_max = 1;
  Pool pool(lazy, driver_);
  const auto before = Clock::Steady::clock::now();
  pool.maintain();
  EXPECT_EQ(pool.stats().idle, 4U);
  EXPECT_GE(driver_.deadline_at(StubPoint::connect), before + lazy.acquire_max);
  EXPECT_LE(driver_.deadline_at(StubPoint::connect), soon(lazy.acquire_max));
}

// Until each waits for something.
void wait_until_all_other_threads_sleep() {
  const auto self = std::to_string(::gettid());
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == self) continue;
    for (bool sleeps = false; !sleeps; std::this_thread::yield()) {
      std::ifstream status(thread.path() / "status");
      sleeps = !status;  // it has ended
      for (std::string line; std::getline(status, line);)
        sleeps |= line.starts_with("State:") && line.find('S', 6) != std::string::npos;
    }
  }
}

// Whatever the time until its thread would look next.
TEST_F(PoolMaintenance, EndsAtOnceWithItsPoolOrItsGroup) {
  auto seldom = kept(1);
  seldom.maintain_every = 1h;
  in_time([&] {
    const Pool pool(seldom, driver_);
    wait_until_all_other_threads_sleep();
  });
  in_time([&] {
    const PoolGroup group({.connections_max = 1, .maintain_every = 1h});
    wait_until_all_other_threads_sleep();
  });
}

TEST_F(PoolMaintenance, ADrainDuringAKeepaliveIsNoFaultOfTheConnection) {
  StubDriver driver;
  Pool pool(kept(1), driver);
  clock_.advance(61s);
  Halt asking;
  driver.at(StubPoint::validate, [&] { asking.pass(); });
  std::thread looks_after([&] { pool.maintain(); });
  asking.wait_until_inside(1);
  EXPECT_FALSE(pool.drain(soon(1ms)));
  asking.open();
  looks_after.join();
  EXPECT_TRUE(pool.drain(soon(20s)));
  EXPECT_EQ(pool.stats().closed_drained, 1U);
  EXPECT_EQ(pool.stats().closed_invalid, 0U);
}

}  // namespace
}  // namespace carrel::test
