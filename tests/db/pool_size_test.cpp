// Pools of all sizes: the idle bits of up to eight connections have a word each; above, several
// share one; above 504 there are more words.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#include "db/pool_verbs.h"

namespace carrel::test {
namespace {

class PoolOfSize : public testing::TestWithParam<std::size_t> {
 protected:
  std::deque<Pool::Lease> borrow_all() {
    std::deque<Pool::Lease> leases;
    for (std::size_t i = 0; i < size_; ++i) leases.push_back(pool_.borrow());
    return leases;
  }
  static std::set<int> numbers_of(const std::deque<Pool::Lease>& leases) {
    std::set<int> numbers;
    for (const auto& lease : leases) numbers.insert(number_of(lease));
    return numbers;
  }

  const std::size_t size_ = GetParam();
  StubDriver driver_;
  Pool pool_{options(size_), driver_};
};

TEST_P(PoolOfSize, LendsEveryConnectionOnceAndOpensNoMore) {
  auto leases = borrow_all();
  const auto numbers = numbers_of(leases);
  EXPECT_EQ(numbers.size(), size_);
  EXPECT_EQ(code_of([&] {
              static_cast<void>(pool_.borrow({.deadline = soon(std::chrono::milliseconds(1))}));
            }),
            "pool.timeout");

  leases.clear();
  EXPECT_EQ(pool_.stats().idle, size_);
  leases = borrow_all();

  EXPECT_EQ(numbers_of(leases), numbers);
  EXPECT_EQ(pool_.stats().created, size_);
  EXPECT_EQ(driver_.open_max(), static_cast<int>(size_));
}

// Those who wait go before those who come, whichever connection comes back.
TEST_P(PoolOfSize, ServesInOrderOfArrivalWhicheverConnectionComesBack) {
  auto leases = borrow_all();
  std::array<std::atomic<std::size_t>, 3> served{};
  std::atomic<std::size_t> count{0};
  std::latch all_served(1);
  std::vector<std::thread> waiters;
  for (std::size_t i = 0; i < served.size(); ++i) {
    waiters.emplace_back([&, i] {
      const auto lease = pool_.borrow();
      served[i] = count + 1;  // one is served at a time
      ++count;
      all_served.wait();
    });
    wait_until_waiting(pool_, i + 1);
  }
  for (std::size_t i = 0; i < served.size(); ++i) {
    const auto which = i * (leases.size() - 1) / served.size();
    leases.erase(leases.begin() + static_cast<std::ptrdiff_t>(which));
    while (count != i + 1) std::this_thread::yield();
    EXPECT_EQ(served[i], i + 1);
  }
  all_served.count_down();
  for (auto& waiter : waiters) waiter.join();
  leases.clear();
  EXPECT_EQ(pool_.stats().idle, size_);
  EXPECT_LE(driver_.open_max(), static_cast<int>(size_));
}

// Threads that replace connections all the time, in a pool that half of them would fill.
TEST_P(PoolOfSize, NeverOpensMoreThanItsSizeWhileConnectionsBreak) {
  constexpr std::size_t kThreads = 8;
  const std::size_t held_by_each = size_ / (kThreads / 2);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (std::size_t round = 0; round < 20; ++round) {
        std::deque<Pool::Lease> leases;
        try {
          for (std::size_t i = 0; i < held_by_each; ++i)
            leases.push_back(pool_.borrow({.deadline = soon(std::chrono::milliseconds(1))}));
        } catch (const Error& error) {
          ASSERT_EQ(error.code(), "pool.timeout");  // others hold the rest: lets go of its own
        }
        if (!leases.empty() && round % 4 == 0) break_connection(leases.front());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(driver_.open_max(), static_cast<int>(size_));
  EXPECT_EQ(numbers_of(borrow_all()).size(), size_);
}

INSTANTIATE_TEST_SUITE_P(Sizes, PoolOfSize, testing::Values(8, 9, 63, 504, 505, 600));

}  // namespace
}  // namespace carrel::test
