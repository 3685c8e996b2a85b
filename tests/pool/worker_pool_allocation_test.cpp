// A task that finds no memory is refused, and the pool goes on without it. The linker puts the
// function below in the place of the one by which Asio gets memory for its queue.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "../scope/failing_new.h"
#include "carrel/pool/worker_pool.h"
#include "occupied.h"

extern "C" void* __real_aligned_alloc(std::size_t align, std::size_t bytes);
extern "C" void* __wrap_aligned_alloc(std::size_t align, std::size_t bytes) {
  using namespace carrel::failing_new;
  const bool fails = failing_from != 0 && ++allocations >= failing_from;
  return fails ? nullptr : __real_aligned_alloc(align, bytes);
}

namespace carrel {
namespace {

using failing_new::NoMemory;

TEST(WorkerPoolAllocation, ATaskThatFindsNoMemoryIsRefusedAndNobodyWaitsForIt) {
  WorkerPool pool({.name = "short of memory", .threads = 1, .queue_max = 100});
  std::uint64_t accepted = 0;
  std::uint64_t failed = 0;
  {
    Occupied worker(pool);
    for (std::uint64_t succeeding = 0; succeeding < 30; ++succeeding) {
      try {
        const NoMemory none(succeeding);
        if (pool.post({.name = "a task"}, [] {})) ++accepted;
      } catch (const std::bad_alloc&) {
        ++failed;
      }
    }
    EXPECT_EQ(pool.stats().queued, accepted);
  }
  EXPECT_GE(failed, 2U) << "the task itself, and its place in the queue";
  EXPECT_GE(accepted, 1U);
  EXPECT_TRUE(pool.drain(kForEver));
  EXPECT_EQ(pool.stats().done, accepted + 1);
}

// An operator new that asks the pool does not meet itself.
TEST(WorkerPoolAllocation, NothingIsAllocatedUnderThePoolsLock) {
  static const WorkerPool* asked = nullptr;
  static std::atomic<int> calls = 0;
  const auto ask_from_here_on = [] {
    failing_new::at_each = [] { static_cast<void>(asked->stats()), ++calls; };
  };
  std::optional<Pending<int>> never;
  std::latch begun(1);
  std::latch queued(1);
  {
    WorkerPool pool({.name = "a pool whose name is longer than a small string",
                     .threads = 1,
                     .queue_max = 1,
                     .refusal = Refusal::block});
    asked = &pool;
    auto task = pool.submit({}, [&] {
      ask_from_here_on();
      auto inner = pool.submit({}, [] {});
      EXPECT_EQ(code_of([&] { (void)pool.submit({}, [] {}); }), "pool.deadlock");
      EXPECT_EQ(code_of([&] { std::move(inner).get(); }), "pool.deadlock");
      EXPECT_EQ(code_of([&] { (void)pool.drain(kForEver); }), "pool.deadlock");
    });
    ask_from_here_on();
    std::move(task).get();
    EXPECT_TRUE(pool.post({}, [&] {
      begun.count_down();
      queued.wait();
      // Until the destructor has begun: before, the queue is full.
      while (code_of([&] { (void)pool.submit({}, [] {}); }) != "pool.closed")
        std::this_thread::yield();
    }));
    begun.wait();
    never.emplace(pool.submit({}, [] { return 1; }));
    queued.count_down();
    failing_new::at_each = nullptr;
  }
  EXPECT_EQ(code_of([&] { (void)std::move(*never).get(); }), "pool.discarded");
  EXPECT_GT(calls, 10);
}

TEST(WorkerPoolAllocation, AFailureIsReportedWithoutAny) {
  struct Surprise {};
  testing::internal::CaptureStderr();
  {
    WorkerPool pool({.name = "a pool whose name is longer than a small string", .threads = 1});
    EXPECT_TRUE(pool.post({.name = "t"}, [] {
      failing_new::failing_from = failing_new::allocations + 1;
      throw Surprise();
    }));
    EXPECT_TRUE(pool.drain(kForEver));
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("task 't' of pool 'a pool whose name is longer than a small string' failed"),
            std::string::npos)
      << said;
}

}  // namespace
}  // namespace carrel
