#include "carrel/pool/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"
#include "pool/occupied.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(WorkerPool, RunsTasksInScopesOfTheirOwnOnItsThreads) {
  WorkerPool pool({.name = "requests", .threads = 2});
  const auto here = std::this_thread::get_id();
  auto name = pool.submit({.name = "GET /orders"}, [here] {
    EXPECT_NE(std::this_thread::get_id(), here);
    return std::string(Scope::current()->name());
  });
  EXPECT_EQ(std::move(name).get(), "GET /orders");
  auto unnamed = pool.submit({}, [] { return std::string(Scope::current()->name()); });
  EXPECT_EQ(std::move(unnamed).get(), "requests");
}

TEST(WorkerPool, RunsEverythingThatItAcceptedExactlyOnce) {
  std::vector<std::atomic<int>> runs(5000);
  WorkerPool pool({.threads = 4, .queue_max = 64, .refusal = Refusal::block});
  {
    std::vector<std::jthread> posters;
    for (std::size_t p = 0; p < 5; ++p)
      posters.emplace_back([&, p] {
        for (std::size_t i = p; i < runs.size(); i += 5)
          ASSERT_TRUE(pool.post({.name = "count"}, [&runs, i] { ++runs[i]; }));
      });
  }
  EXPECT_TRUE(pool.drain(kForEver));
  for (const auto& count : runs) EXPECT_EQ(count.load(), 1);
  EXPECT_EQ(pool.stats().done, runs.size());
  EXPECT_EQ(pool.boundary().tasks(), runs.size());
}

TEST(WorkerPool, WorkersInheritNothingFromWhoeverCreatedThePoolOrPosts) {
  const RequestLocal<int> tenant{"tenant"};
  Scope scope({.name = "creator"});
  tenant.set(1);
  WorkerPool pool({.threads = 1});
  auto bare = pool.submit({}, [&] { return tenant.find() == nullptr; });
  EXPECT_TRUE(std::move(bare).get());
  auto taken_along = pool.submit({}, Snapshot::capture().wrap([&] { return tenant.get(); }));
  EXPECT_EQ(std::move(taken_along).get(), 1);
}

TEST(WorkerPool, ANestedSubmitTakesItsTasksContextAlong) {
  const RequestLocal<std::string> tenant{"tenant"};
  WorkerPool pool({.threads = 2});
  auto outer = pool.submit({.name = "outer"}, [&] {
    tenant.set("acme");
    auto inner =
        pool.submit({.name = "inner"}, Snapshot::capture().wrap([&] { return tenant.get(); }));
    return std::move(inner).get() + "/" + tenant.get();
  });
  EXPECT_EQ(std::move(outer).get(), "acme/acme");
}

TEST(WorkerPool, RefusesWhenTheQueueIsFull) {
  WorkerPool pool({.threads = 1, .queue_max = 2, .refusal = Refusal::refuse});
  Occupied worker(pool);
  std::atomic<int> ran{0};
  EXPECT_TRUE(pool.post({}, [&] { ++ran; }));
  EXPECT_TRUE(pool.post({}, [&] { ++ran; }));
  EXPECT_FALSE(pool.post({}, [&] { ++ran; }));
  EXPECT_EQ(code_of([&] { (void)pool.submit({}, [&] { ++ran; }); }), "pool.full");

  const WorkerPoolStatistics busy = pool.stats();
  EXPECT_EQ(busy.queued, 2U);
  EXPECT_EQ(busy.running, 1U);
  EXPECT_EQ(busy.refused, 2U);
  worker.let_go();
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(ran.load(), 2);
  EXPECT_EQ(pool.stats().queued, 0U);
}

TEST(WorkerPool, RunsInTheCallerWhenTheQueueIsFull) {
  const RequestLocal<int> number{"number"};
  WorkerPool pool({.threads = 1, .queue_max = 1, .refusal = Refusal::run_in_caller});
  Occupied worker(pool);
  EXPECT_TRUE(pool.post({}, [] {}));

  Scope scope({.name = "poster"});
  number.set(1);
  std::thread::id ran_on;
  EXPECT_TRUE(pool.post({.name = "inline"}, [&] {
    ran_on = std::this_thread::get_id();
    EXPECT_EQ(Scope::current()->name(), "inline");
    EXPECT_EQ(number.find(), nullptr) << "a task sees nothing of its caller, wherever it runs";
  }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_EQ(Scope::current(), &scope);
  EXPECT_EQ(pool.stats().ran_in_caller, 1U);
}

TEST(WorkerPool, BlocksUntilThereIsRoom) {
  WorkerPool pool({.threads = 1, .queue_max = 1, .refusal = Refusal::block});
  Occupied worker(pool);
  EXPECT_TRUE(pool.post({}, [] {}));
  std::latch posting(1);
  std::atomic<bool> answered{false};
  bool accepted = false;
  std::jthread poster([&] {
    posting.count_down();
    accepted = pool.post({}, [] {});
    answered = true;
  });
  posting.wait();
  for (int i = 0; i < 1000; ++i) {  // time enough for an answer, were there one
    ASSERT_FALSE(answered);
    std::this_thread::yield();
  }
  worker.let_go();
  poster.join();
  EXPECT_TRUE(accepted);
}

TEST(WorkerPool, DrainTakesNoMoreAndTellsWhetherTheDeadlineCameFirst) {
  WorkerPool pool({.threads = 1});
  Occupied worker(pool);
  EXPECT_FALSE(pool.drain(kAtOnce));
  EXPECT_FALSE(pool.post({}, [] {}));
  EXPECT_EQ(code_of([&] { (void)pool.submit({}, [] {}); }), "pool.closed");
  worker.let_go();
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(pool.stats().refused, 2U);
}

TEST(WorkerPool, DrainWakesWhoeverIsBlocked) {
  WorkerPool pool({.threads = 1, .queue_max = 1, .refusal = Refusal::block});
  Occupied worker(pool);
  EXPECT_TRUE(pool.post({}, [] {}));
  std::latch posting(1);
  bool accepted = true;
  std::jthread poster([&] {
    posting.count_down();
    accepted = pool.post({}, [] {});
  });
  posting.wait();
  EXPECT_FALSE(pool.drain(kAtOnce));
  poster.join();
  EXPECT_FALSE(accepted);
}

TEST(WorkerPool, TheDestructorDiscardsWhatIsQueued) {
  std::optional<Pending<int>> never;
  std::latch begun(1);
  std::latch queued(1);
  {
    WorkerPool pool({.threads = 1});
    // Ends only once the destructor has begun: what is queued behind it can then only be discarded.
    EXPECT_TRUE(pool.post({}, [&] {
      begun.count_down();
      queued.wait();
      while (code_of([&] { (void)pool.submit({}, [] {}); }) != "pool.closed")
        std::this_thread::yield();
    }));
    begun.wait();
    never.emplace(pool.submit({}, [] { return 1; }));
    queued.count_down();
  }
  EXPECT_EQ(code_of([&] { (void)std::move(*never).get(); }), "pool.discarded");
}

TEST(WorkerPool, ATaskThatThrowsHurtsNobodyElse) {
  std::mutex mutex;
  std::vector<std::string> failures;
  WorkerPool pool({.threads = 1, .on_failure = [&](const ScopeName& task, std::exception_ptr what) {
                     const std::scoped_lock lock(mutex);
                     try {
                       std::rethrow_exception(what);
                     } catch (const std::exception& error) {
                       failures.push_back(std::string(task.view()) + ": " + error.what());
                     }
                   }});
  EXPECT_TRUE(pool.post({.name = "bad"}, [] { throw std::runtime_error("posted"); }));
  auto submitted = pool.submit({.name = "worse"}, []() -> int { throw std::logic_error("given"); });
  EXPECT_THROW((void)std::move(submitted).get(), std::logic_error);
  auto good = pool.submit({}, [] { return Scope::current()->depth(); });
  EXPECT_EQ(std::move(good).get(), 0U);
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(failures, std::vector<std::string>{"bad: posted"});
  EXPECT_EQ(pool.stats().failed, 2U);
  EXPECT_EQ(pool.stats().done, 1U);
}

TEST(WorkerPool, AFailureThatNobodyTakesIsReported) {
  testing::internal::CaptureStderr();
  {
    WorkerPool pool({.name = "p", .threads = 1});
    EXPECT_TRUE(pool.post({.name = "t"}, [] { throw std::runtime_error("lost otherwise"); }));
    EXPECT_TRUE(pool.drain(kForEver));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "carrel: task 't' of pool 'p' failed: lost otherwise\n");
}

TEST(WorkerPoolDeathTest, WhatOnFailureThrowsStopsTheProgramWhereverTheTaskRan) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto throws = [](const ScopeName&, const std::exception_ptr&) {
    throw std::runtime_error("by on_failure");
  };
  EXPECT_DEATH(
      {
        WorkerPool pool({.threads = 1, .on_failure = throws});
        EXPECT_TRUE(pool.post({}, [] { throw std::logic_error("by the task"); }));
        (void)pool.drain(kForEver);
      },
      "by on_failure");
  EXPECT_DEATH(
      {
        WorkerPool pool({.threads = 1,
                         .queue_max = 1,
                         .refusal = Refusal::run_in_caller,
                         .on_failure = throws});
        Occupied worker(pool);
        EXPECT_TRUE(pool.post({}, [] {}));
        try {
          (void)pool.post({}, [] { throw std::logic_error("by the task"); });
        } catch (const std::runtime_error&) {
          std::_Exit(0);  // its caller got it, and a drain() would wait for ever
        }
      },
      "by on_failure");
}

TEST(WorkerPool, MeasuresTheWaitInTheQueue) {
  ManualClock clock;
  WorkerPool pool({.threads = 1, .clock = &clock});
  {
    Occupied worker(pool);
    EXPECT_TRUE(pool.post({}, [] {}));
    clock.advance(3s);
    worker.let_go();
    EXPECT_TRUE(pool.drain(kForEver));
  }
  EXPECT_EQ(pool.stats().wait_max, 3s);
  EXPECT_EQ(pool.stats().wait_total, 3s);
  EXPECT_EQ(pool.stats().started, 2U);
}

TEST(WorkerPool, DestroysATasksFunctionWithinItsScope) {
  struct Witness {
    explicit Witness(std::string* n) : name(n) {}
    Witness(Witness&& other) noexcept : name(std::exchange(other.name, nullptr)) {}
    ~Witness() {
      if (name != nullptr) *name = Scope::current() == nullptr ? "none" : Scope::current()->name();
    }
    std::string* name;
  };
  std::string died_in;
  WorkerPool pool({.threads = 1});
  EXPECT_TRUE(pool.post({.name = "task"}, [witness = Witness(&died_in)] { (void)witness; }));
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(died_in, "task");
}

TEST(WorkerPool, ScopesAndSnapshotsOutliveIt) {
  const RequestLocal<std::string> tenant{"tenant"};
  std::shared_ptr<Scope> scope;
  Snapshot snapshot;
  {
    WorkerPool pool({.threads = 1});
    auto task = pool.submit({.name = "made in the pool"}, [&] {
      tenant.set("acme");
      snapshot = Snapshot::capture();
      scope = Scope::suspended(snapshot);
    });
    std::move(task).get();
  }
  snapshot.run([&] { EXPECT_EQ(tenant.get(), "acme"); });
  const Scope::Entry entry(*scope);
  EXPECT_EQ(tenant.get(), "acme");
  EXPECT_EQ(scope->name(), "made in the pool");
}

TEST(WorkerPool, ClearsWhatTasksLeaveOnItsThreads) {
  std::vector<std::string> reported;
  ThreadLocal<int> forgotten{{.name = "forgotten"}};
  ThreadLocal<int> cache{{.name = "cache", .lifetime = Lifetime::thread}};
  WorkerPool pool({.threads = 1, .boundary = {.on_leftover = [&](std::span<const Leftover> found) {
                                   for (const Leftover& leftover : found)
                                     reported.push_back(leftover.task + " left " +
                                                        leftover.variable);
                                 }}});
  for (int i = 0; i < 3; ++i) {
    auto clean = pool.submit({.name = "task " + std::to_string(i)}, [&] {
      const bool was_clean = forgotten.peek() == nullptr;
      forgotten.set(1);
      ++cache.get();
      return was_clean;
    });
    EXPECT_TRUE(std::move(clean).get());
  }
  EXPECT_EQ(reported, (std::vector<std::string>{"task 0 left forgotten", "task 1 left forgotten",
                                                "task 2 left forgotten"}));
  EXPECT_EQ(pool.boundary().leftovers(), 3U);
  auto kept = pool.submit({}, [&] { return cache.get(); });
  EXPECT_EQ(std::move(kept).get(), 3);
}

TEST(WorkerPool, GivesItsFiguresAsMetrics) {
  ManualClock clock;
  WorkerPool pool({.name = "requests", .threads = 1, .queue_max = 1, .clock = &clock});
  {
    Occupied worker(pool);
    EXPECT_TRUE(pool.post({}, [] {}));
    EXPECT_FALSE(pool.post({}, [] {}));
    clock.advance(1500ms);
    MetricText text;
    collect(pool, text);
    const std::string page = std::move(text).take();
    for (const char* line : {"carrel_pool_queue_length{pool=\"requests\"} 1\n",
                             "carrel_pool_running{pool=\"requests\"} 1\n",
                             "carrel_pool_refused_total{pool=\"requests\"} 1\n",
                             "carrel_tasks_total{boundary=\"requests\"} 0\n"})
      EXPECT_NE(page.find(line), std::string::npos) << line << "is not in\n" << page;
  }
  EXPECT_TRUE(pool.drain(kForEver));
  MetricText text;
  collect(pool, text);
  EXPECT_NE(std::move(text).take().find("carrel_pool_wait_seconds_total{pool=\"requests\"} 1.5\n"),
            std::string::npos);
}

}  // namespace
}  // namespace carrel
