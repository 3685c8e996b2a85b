#include "lab/memory_meter.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace carrel::lab {
namespace {

constexpr std::int64_t kBlock = 32 << 20;
constexpr std::int64_t kSlack = 1 << 20;

TEST(MemoryMeter, SeesAllocationAndRelease) {
  pin_mmap_threshold();
  const MemoryUse before = memory_in_use();
  std::vector<std::byte> block(kBlock, std::byte{1});
  const MemoryUse during = memory_in_use();
  EXPECT_NEAR(static_cast<double>(during.live_bytes - before.live_bytes), kBlock, kSlack);
  EXPECT_GT(during.resident_bytes - before.resident_bytes, kBlock - kSlack);
  EXPECT_EQ(block[kBlock / 2], std::byte{1});

  std::vector<std::byte>().swap(block);
  const MemoryUse after = memory_in_use();
  EXPECT_NEAR(static_cast<double>(after.live_bytes - before.live_bytes), 0, kSlack);
  if (residency() == Residency::follows_live_bytes) {
    EXPECT_LT(after.resident_bytes - before.resident_bytes, kSlack);
  }
}

}  // namespace
}  // namespace carrel::lab
