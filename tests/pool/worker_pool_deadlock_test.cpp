// Waits that could only deadlock are refused, and those that could not are not.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <exception>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
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

TEST(WorkerPool, ATaskThatWaitsForItselfIsRefused) {
  WorkerPool pool({.name = "idle", .threads = 3});
  std::optional<Pending<void>> own;
  std::latch there(1);
  std::string code;
  own.emplace(pool.submit({}, [&] {
    there.wait();
    code = code_of([&] { std::move(*own).get(); });
  }));
  there.count_down();
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(code, "pool.deadlock");
}

// By one look at both: between two, a task may leave the queue and begin to run.
void wait_until_idle(const WorkerPool& pool) {
  const auto is_idle = [](const WorkerPoolStatistics& now) {
    return now.running == 0 && now.queued == 0;
  };
  while (!is_idle(pool.stats())) std::this_thread::yield();
}

// Of three tasks in a circle, whichever closes it is refused, though a fourth worker is free.
TEST(WorkerPool, TheWaitThatClosesACircleIsRefused) {
  WorkerPool pool({.name = "idle", .threads = 4});
  for (int round = 0; round < 50; ++round) {
    std::array<std::optional<Pending<int>>, 3> tasks;
    std::latch there(1);
    std::atomic<int> refused = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i)
      tasks[i].emplace(pool.submit({}, [&, i] {
        there.wait();
        try {
          return std::move(*tasks[(i + 1) % tasks.size()]).get() + 1;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), "pool.deadlock");
          ++refused;
          return 1;
        }
      }));
    there.count_down();
    wait_until_idle(pool);
    EXPECT_EQ(refused, 1);
  }
}

TEST(WorkerPool, ATaskInItsCallerThatWaitsForTheOneAroundItIsRefused) {
  WorkerPool pool({.threads = 2, .queue_max = 1, .refusal = Refusal::run_in_caller});
  Occupied worker(pool);
  std::optional<Pending<void>> outer;
  std::latch there(1);
  std::string code;
  outer.emplace(pool.submit({}, [&] {
    there.wait();
    EXPECT_TRUE(pool.post({}, [] {}));  // fills the queue
    auto inner = pool.submit({}, [&] { code = code_of([&] { std::move(*outer).get(); }); });
    std::move(inner).get();
    worker.let_go();
  }));
  there.count_down();
  while (pool.stats().done == 0) std::this_thread::yield();
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(code, "pool.deadlock");
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

TEST(WorkerPool, ATaskInItsCallerThatDrainsItsOwnPoolIsRefused) {
  WorkerPool pool({.threads = 1, .queue_max = 1, .refusal = Refusal::run_in_caller});
  Occupied worker(pool);
  EXPECT_TRUE(pool.post({}, [] {}));  // fills the queue
  std::string code;
  const auto drains = [&] { code = code_of([&] { (void)pool.drain(kAtOnce); }); };
  EXPECT_TRUE(pool.post({}, drains));
  EXPECT_EQ(code, "pool.deadlock");

  WorkerPool other({.threads = 1, .queue_max = 1, .refusal = Refusal::run_in_caller});
  Occupied other_worker(other);
  EXPECT_TRUE(other.post({}, [] {}));
  code.clear();
  EXPECT_TRUE(pool.post({}, [&] { EXPECT_TRUE(other.post({}, drains)); }));
  EXPECT_EQ(code, "pool.deadlock") << "within a task of another pool";

  EXPECT_FALSE(pool.drain(kAtOnce)) << "afterwards this thread may wait as any other";
}

TEST(WorkerPool, WhatATaskInItsCallerTakesAlongMayNotDrainThePoolEither) {
  struct DrainsAtItsEnd {
    WorkerPool* pool;
    std::string* code;
    DrainsAtItsEnd(WorkerPool& drained, std::string& to) : pool(&drained), code(&to) {}
    DrainsAtItsEnd(DrainsAtItsEnd&& other) noexcept
        : pool(std::exchange(other.pool, nullptr)), code(other.code) {}
    DrainsAtItsEnd& operator=(DrainsAtItsEnd&&) = delete;
    ~DrainsAtItsEnd() {
      if (pool != nullptr) *code = code_of([this] { (void)pool->drain(kAtOnce); });
    }
  };
  std::string code_of_value;
  std::string code_of_handler;
  WorkerPool* reference = nullptr;
  WorkerPool pool({.threads = 1,
                   .queue_max = 1,
                   .refusal = Refusal::run_in_caller,
                   .on_failure = [&](const ScopeName&, const std::exception_ptr&) {
                     code_of_handler = code_of([&] { (void)reference->drain(kAtOnce); });
                   }});
  reference = &pool;
  Occupied worker(pool);
  EXPECT_TRUE(pool.post({}, [] {}));
  EXPECT_TRUE(pool.post({}, [at_end = DrainsAtItsEnd(pool, code_of_value)] {}));
  EXPECT_EQ(code_of_value, "pool.deadlock");
  EXPECT_TRUE(pool.post({}, [] { throw Error("task.failed", "for on_failure"); }));
  EXPECT_EQ(code_of_handler, "pool.deadlock");
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

TEST(WorkerPoolDeathTest, DestroyedByItsOwnTaskInItsCallerIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto pool = std::make_unique<WorkerPool>(WorkerPoolOptions{
            .name = "own", .threads = 1, .queue_max = 1, .refusal = Refusal::run_in_caller});
        std::latch never(1);
        std::latch begun(1);
        WorkerPool& reference = *pool;
        (void)reference.post({}, [&] { begun.count_down(), never.wait(); });
        begun.wait();
        (void)reference.post({}, [] {});
        (void)reference.post({}, [&] { pool.reset(); });
      },
      "pool 'own' destroyed by one of its own tasks");
}

}  // namespace
}  // namespace carrel
