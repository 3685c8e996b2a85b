// What is left behind where memory runs out.
#include <gtest/gtest.h>

#include <chrono>
#include <latch>
#include <new>
#include <thread>

#include "../scope/failing_new.h"
#include "db/pool_verbs.h"

namespace carrel::test {
namespace {

using failing_new::NoMemory;

// Who holds a connection and asks for another is searched for in circles of waits, which takes
// memory. By then it stands in line.
TEST(PoolAllocation, AWaiterWithoutMemoryForTheSearchLeavesTheLine) {
  StubDriver driver;
  Pool held_pool(options(1), driver);
  Pool pool(options(1), driver);
  const auto held = held_pool.borrow({.stays_on_thread = true});
  std::latch taken(1);
  std::latch to_return(1);
  std::thread holder([&] {
    const auto lease = pool.borrow({.stays_on_thread = true});
    taken.count_down();
    to_return.wait();
  });
  taken.wait();
  const auto borrow_without_memory = [&] {
    const NoMemory none;
    static_cast<void>(pool.borrow({.stays_on_thread = true}));
  };
  EXPECT_THROW(borrow_without_memory(), std::bad_alloc);
  EXPECT_EQ(pool.stats().waiting, 0U);
  to_return.count_down();
  holder.join();
  EXPECT_EQ(pool.stats().idle, 1U);
  EXPECT_TRUE(pool.borrow({.stays_on_thread = true}));
}

// Of several rows, the second.
TEST(PoolAllocation, ALoadThatFindsNoMemoryLeavesNoTransaction) {
  StubDriver driver;
  const auto connection = driver.connect({});
  driver.at(StubPoint::execute, [] {});
  driver.at(StubPoint::execute, [] { throw std::bad_alloc(); });
  const std::array<std::string_view, 1> columns{"id"};
  const std::array<Value, 2> values{Value(1), Value(2)};
  EXPECT_THROW(connection->load({.table = "thing", .columns = columns, .values = values}),
               std::bad_alloc);
  EXPECT_FALSE(connection->in_transaction());
}

}  // namespace
}  // namespace carrel::test
