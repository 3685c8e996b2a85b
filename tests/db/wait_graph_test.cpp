#include "db/wait_graph.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "db/pool_verbs.h"

namespace carrel::test {
namespace {

constexpr BorrowOptions kOnThread{.stays_on_thread = true};

// A traversal finds a thread by a slot, and asks then what it waits for. Where the thread has given
// the slot back between the two, it must not show as a holder that waits.
TEST(WaitGraph, ShowsOnlyTheWaitsOfThreadsThatHoldSomething) {
  StubDriver driver;
  Pool pool(options(1), driver);
  Pool other(options(1), driver);
  for (const bool holds : {false, true}) {
    SCOPED_TRACE(holds);
    auto lease = pool.borrow();  // by nobody that the graph knows
    db::Holder* waiter = nullptr;
    std::thread waiting([&] {
      waiter = &db::Holder::of_this_thread();
      const auto held = holds ? other.borrow(kOnThread) : Pool::Lease();
      static_cast<void>(pool.borrow(kOnThread));
    });
    wait_until_waiting(pool, 1);
    EXPECT_EQ(waiter->waiting_for.load() != nullptr, holds);
    lease.release();
    waiting.join();
  }
}

}  // namespace
}  // namespace carrel::test
