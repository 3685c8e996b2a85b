#include "lab/plain_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

namespace carrel::lab {
namespace {

TEST(PlainPool, RunsEveryTaskBeforeItIsIdle) {
  PlainPool pool(3);
  std::atomic<int> count = 0;
  for (int i = 0; i < 1000; ++i) pool.post([&] { ++count; });
  pool.wait_until_idle();
  EXPECT_EQ(count, 1000);
}

TEST(PlainPool, TaskIsDestroyedBeforeThePoolIsIdle) {
  PlainPool pool(2);
  const auto held = std::make_shared<int>(1);
  for (int i = 0; i < 100; ++i) pool.post([held] {});
  pool.wait_until_idle();
  EXPECT_EQ(held.use_count(), 1);
}

TEST(PlainPool, RunsWhatIsQueuedWhenItEnds) {
  std::atomic<int> count = 0;
  {
    PlainPool pool(1);
    for (int i = 0; i < 100; ++i) pool.post([&] { ++count; });
  }
  EXPECT_EQ(count, 100);
}

}  // namespace
}  // namespace carrel::lab
