#include "lab/crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace carrel::lab {
namespace {

TEST(Crew, RunsATaskOnceOnEachThreadAndKeepsTheThreads) {
  Crew crew(3);
  std::vector<std::thread::id> first(3);
  std::vector<std::thread::id> second(3);
  std::atomic<int> calls = 0;
  crew.each([&](std::size_t n) { first[n] = std::this_thread::get_id(); });
  crew.each([&](std::size_t n) {
    second[n] = std::this_thread::get_id();
    ++calls;
  });
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(first, second);
  EXPECT_NE(first[0], first[1]);
}

TEST(Crew, EndsWithoutAnyTask) {
  const Crew crew(2);
}

}  // namespace
}  // namespace carrel::lab
