// What a variable's death leaves behind: nothing, however many there have been.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::Worker;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
constexpr int kManyVariables = kSanitized ? 100'000 : 1'000'000;  // ten times slower there

// What the process has in memory; 0 where a sanitizer keeps what was freed.
std::size_t resident_bytes() {
  if (kSanitized) return 0;
  std::size_t pages_mapped = 0;
  std::size_t pages_resident = 0;
  std::ifstream("/proc/self/statm") >> pages_mapped >> pages_resident;
  return pages_resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// A million lost cells would be 88 MB, a million lost keys 16.
constexpr std::size_t kFlat = std::size_t{1} << 20;

TEST(VariableDeath, AMillionShortLivedVariablesLeaveNothing) {
  const ThreadLocal<int> first;
  first.set(0);
  const std::uint32_t capacity = local::thread_block.map.capacity();
  const std::size_t slots = local::process_figures().slots;
  const std::size_t resident = resident_bytes();
  for (int i = 0; i < kManyVariables; ++i) {
    const ThreadLocal<int> variable;
    variable.set(i);
  }
  EXPECT_EQ(local::thread_block.map.capacity(), capacity);
  EXPECT_EQ(local::thread_block.map.count(), 1U);
  EXPECT_EQ(local::thread_block.map.stale(), 0U);
  EXPECT_LE(local::process_figures().slots, slots + 1);
  EXPECT_LE(resident_bytes(), resident + kFlat);
}

TEST(VariableDeath, AMillionShortLivedVariablesLeaveNothingOnAnIdleThreadEither) {
  constexpr int kAtOnce = 1'000;
  const ThreadLocal<int> last;
  Worker idle;
  std::uint32_t capacity = 0;
  std::size_t slots = 0;
  std::size_t resident = 0;
  for (int round = 0; round < kManyVariables / kAtOnce; ++round) {
    std::vector<std::unique_ptr<ThreadLocal<int>>> variables;
    for (int i = 0; i < kAtOnce; ++i) {
      variables.push_back(std::make_unique<ThreadLocal<int>>());
      variables.back()->set(i);
    }
    idle.call([&] {
      for (const auto& variable : variables) variable->set(1);
      if (round < 2) capacity = local::thread_block.map.capacity();
      EXPECT_LE(local::thread_block.map.capacity(), capacity) << "grew in round " << round;
    });
    variables.clear();  // and so leaves a thousand dead keys on the other thread
    EXPECT_EQ(local::thread_block.map.stale(), 0U);
    if (round != 1) continue;
    slots = local::process_figures().slots;
    resident = resident_bytes();
  }
  EXPECT_LE(local::process_figures().slots, slots);
  EXPECT_LE(resident_bytes(), resident + kFlat);
  idle.call([&] {
    last.set(1);
    EXPECT_EQ(local::thread_block.map.capacity(), 32U);
    EXPECT_EQ(local::thread_block.map.count(), 1U);
    EXPECT_EQ(local::thread_block.map.stale(), 0U);
  });
}

TEST(VariableDeath, ChurnOfAThousandVariablesKeepsTheTableSmall) {
  Worker worker;
  const auto fill = [&worker] {
    std::vector<std::unique_ptr<ThreadLocal<int>>> variables;
    for (int i = 0; i < 1000; ++i) variables.push_back(std::make_unique<ThreadLocal<int>>());
    worker.call([&] {
      for (const auto& variable : variables) variable->set(1);
    });
  };
  const ThreadLocal<int> last;
  std::uint32_t capacity = 0;
  worker.call([&] { last.set(1); });
  fill();
  worker.call([&] { capacity = local::thread_block.map.capacity(); });
  for (int i = 0; i < 20; ++i) fill();
  worker.call([&] {
    EXPECT_EQ(local::thread_block.map.capacity(), capacity);
    last.remove();
    last.set(1);
    EXPECT_EQ(local::thread_block.map.stale(), 0U);
    EXPECT_EQ(local::thread_block.map.capacity(), 32U) << "the table did not shrink";
  });
}

}  // namespace
}  // namespace carrel
