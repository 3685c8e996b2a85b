// What comes of a pool where the system has no more threads.
#include <gtest/gtest.h>

#include <cstdlib>
#include <system_error>

#include "base/little_memory.h"
#include "carrel/pool/worker_pool.h"

namespace carrel {
namespace {

[[noreturn]] void make_a_large_pool() {
  test::limit_memory_to(rlim_t{64} << 20);  // a few stacks
  try {
    const WorkerPool pool(WorkerPoolOptions{.name = "large", .threads = 1'000});
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) std::exit(0);
  }
  std::exit(1);
}

TEST(WorkerPoolDeathTest, ThatGetsNoMoreThreadsEndsThoseItHasAndThrows) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(make_a_large_pool(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace carrel
