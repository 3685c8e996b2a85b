// Waits that could only deadlock are refused, and those that could not are not.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "carrel/pool/worker_pool.h"
#include "pool/occupied.h"

namespace carrel {
namespace {

TEST(WorkerPool, ATaskThatWouldWaitForItsOwnFullQueueIsRefused) {
  WorkerPool pool({.name = "small", .threads = 1, .queue_max = 1, .refusal = Refusal::block});
  auto task = pool.submit({}, [&] {
    EXPECT_TRUE(pool.post({}, [] {}));  // fills the queue
    (void)pool.post({}, [] {});
  });
  try {
    std::move(task).get();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "pool.deadlock");
    EXPECT_NE(std::string(error.what()).find("'small'"), std::string::npos) << error.what();
  }
}

TEST(WorkerPool, TheWaitThatWouldLeaveNoWorkerIsRefused) {
  std::atomic<int> refused{0};
  std::atomic<bool> innermost_ran{false};
  const auto wait_for = [&](Pending<void> task) {
    const std::string code = code_of([&] { std::move(task).get(); });
    if (code == "pool.deadlock") ++refused;
  };
  WorkerPool pool({.threads = 2});
  // Two workers, two waits: whichever comes second is refused, and its worker runs the innermost.
  auto outermost = pool.submit({.name = "0"}, [&] {
    wait_for(pool.submit({.name = "1"}, [&] {
      wait_for(pool.submit({.name = "2"}, [&] { innermost_ran = true; }));
    }));
  });
  std::move(outermost).get();
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(refused.load(), 1);
  EXPECT_TRUE(innermost_ran.load());
}

TEST(WorkerPool, WaitingForATaskWhileOthersWorkIsFine) {
  WorkerPool pool({.threads = 3});
  for (int round = 0; round < 200; ++round) {
    std::vector<Pending<int>> pairs;
    for (int i = 0; i < 2; ++i)  // two wait, the third works
      pairs.push_back(pool.submit({}, [&pool, i] {
        auto inner = pool.submit({}, [i] { return i; });
        return std::move(inner).get();
      }));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(std::move(pairs[static_cast<std::size_t>(i)]).get(), i);
  }
}

TEST(WorkerPool, ATaskThatDrainsItsOwnPoolIsRefused) {
  WorkerPool pool({.threads = 2});
  auto task = pool.submit({}, [&] { return code_of([&] { (void)pool.drain(kForEver); }); });
  EXPECT_EQ(std::move(task).get(), "pool.deadlock");
}

TEST(WorkerPoolDeathTest, DestroyedByItsOwnTaskIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{.name = "own", .threads = 1});
        WorkerPool& reference = *pool;
        auto task = reference.submit({}, [&] { pool.reset(); });
        std::move(task).get();
      },
      "pool 'own' destroyed by one of its own tasks");
}

}  // namespace
}  // namespace carrel
