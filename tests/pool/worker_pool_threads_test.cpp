// What comes of a pool where the system has no more threads.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <system_error>

#include "carrel/pool/worker_pool.h"

namespace carrel {
namespace {

// In a process of its own: leaves it room for the stacks of a few threads, and no more.
void limit_memory_to_a_few_stacks() {
  constexpr rlim_t kRoom = rlim_t{64} << 20;
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kRoom;
  setrlimit(RLIMIT_AS, &limit);
}

[[noreturn]] void make_a_large_pool() {
  limit_memory_to_a_few_stacks();
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
