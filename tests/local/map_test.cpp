// The table itself: probing, repair, staleness, growth, shrinking, generations.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/internal/thread_local_map.h"
#include "carrel/local/thread_local.h"
#include "local/registry.h"
#include "local/slot.h"
#include "local/worker.h"

namespace carrel::local {
namespace {

Key key_of(std::uint32_t slot, std::uint32_t generation = 1) {
  return Key::make(slot, generation, Ownership::shared_with_variable);
}

// A map by itself. Slots below 256 exist as soon as any does.
class Map : public testing::Test {
 protected:
  Map() { const ThreadLocal<int> any; }
  ~Map() override {
    while (map.log_size() != 0) map.erase(map.log_key(map.log_size() - 1));
    map.release_memory();
  }
  void add(std::uint32_t slot) {
    const Key key = key_of(slot);
    map.reserve(key);
    map.insert(key, &values[slot]);
  }
  void drop(std::uint32_t slot) { map.erase(key_of(slot)); }
  void* find(std::uint32_t slot) { return map.find(key_of(slot)); }

  ThreadLocalMap map;
  std::array<int, 256> values{};
};

TEST_F(Map, SixteenConsecutiveVariablesHaveSixteenPlaces) {
  std::set<std::uint32_t> places;
  for (std::uint32_t slot = 100; slot < 116; ++slot) places.insert(key_of(slot).first_offset());
  EXPECT_EQ(places.size(), 16U);
  for (std::uint32_t slot = 100; slot < 116; ++slot) add(slot);
  EXPECT_EQ(map.capacity(), 16U) << "no table on the heap yet";
}

TEST_F(Map, PaysForWhatItHoldsWhateverTheVariablesNumber) {
  add(7);
  add(100);
  add(255);
  EXPECT_EQ(map.capacity(), 16U);
}

TEST_F(Map, GrowsPastTwoThirds) {
  add(0);
  for (std::uint32_t n = 1; n <= 10; ++n) add(n * 16);  // all but the first go to the heap's table
  EXPECT_EQ(map.capacity(), 32U);
  add(11 * 16);
  EXPECT_EQ(map.capacity(), 48U);
  for (std::uint32_t n = 0; n <= 11; ++n) EXPECT_EQ(find(n * 16), &values[n * 16]);
}

TEST_F(Map, RemovalRepairsTheProbeRun) {
  // Multiples of 16 share one home in a table of 16: one run.
  for (std::uint32_t removed = 1; removed <= 8; ++removed) {
    for (std::uint32_t n = 0; n <= 8; ++n) add(n * 16);
    drop(removed * 16);
    for (std::uint32_t n = 0; n <= 8; ++n) {
      EXPECT_EQ(find(n * 16), n == removed ? nullptr : &values[n * 16]) << removed;
    }
    for (std::uint32_t n = 0; n <= 8; ++n) drop(n * 16);
    EXPECT_EQ(map.count(), 0U);
  }
}

TEST_F(Map, AgreesWithAModelUnderRandomChange) {
  std::mt19937 random(20260101);
  std::map<std::uint32_t, void*> model;
  for (int step = 0; step < 100'000; ++step) {
    const std::uint32_t slot = random() % 256;
    const bool grows = (step / 5000) % 2 == 0;
    if (model.contains(slot)) {
      if (!grows || random() % 4 == 0) {
        drop(slot);
        model.erase(slot);
      }
    } else if (grows || random() % 4 == 0) {
      add(slot);
      model[slot] = &values[slot];
    }
    const std::uint32_t probed = random() % 256;
    const auto expected = model.find(probed);
    ASSERT_EQ(find(probed), expected == model.end() ? nullptr : expected->second);
    ASSERT_EQ(map.count(), model.size());
  }
}

TEST_F(Map, KeepsTheOrderOfFirstInitialisationThroughRemovalAndGrowth) {
  for (std::uint32_t slot = 0; slot < 100; ++slot) add(slot);
  for (std::uint32_t slot = 0; slot < 100; slot += 2) drop(slot);
  for (std::uint32_t slot = 100; slot < 200; ++slot) add(slot);
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < map.log_size(); ++i) {
    if (!map.log_key(i).empty()) order.push_back(map.log_key(i).slot());
  }
  ASSERT_EQ(order.size(), 150U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(Map, ShrinksWhenItsEntriesGo) {
  for (std::uint32_t slot = 0; slot < 256; ++slot) add(slot);
  EXPECT_EQ(map.capacity(), 16U + 512U);
  for (std::uint32_t slot = 0; slot < 256; ++slot) drop(slot);
  EXPECT_EQ(map.capacity(), 32U);
}

TEST(Generations, AKeyOfADeadVariableIsRefusedInItsReusedSlot) {
  Key old{};
  {
    const ThreadLocal<int> variable;
    variable.set(1);
    old = thread_block.map.log_key(thread_block.map.log_size() - 1);
  }
  const ThreadLocal<int> next;
  next.set(2);
  const Key fresh = thread_block.map.log_key(thread_block.map.log_size() - 1);
  EXPECT_EQ(fresh.slot(), old.slot());
  EXPECT_EQ(fresh.generation(), old.generation() + 1);
  EXPECT_EQ(thread_block.map.find(old), nullptr);
  EXPECT_TRUE(variable_is_dead(old));
}

TEST(Generations, ASlotThatHasUsedThemAllIsNeverUsedAgain) {
  std::uint32_t number = 0;
  {
    const ThreadLocal<int> variable;
    variable.set(1);
    number = thread_block.map.log_key(thread_block.map.log_size() - 1).slot();
  }
  slot_at(number).generation = 0xffffffffU;
  Worker worker;
  {
    const ThreadLocal<int> last;
    last.set(1);
    const Key key = thread_block.map.log_key(thread_block.map.log_size() - 1);
    EXPECT_EQ(key.slot(), number);
    EXPECT_EQ(key.generation(), 0xffffffffU);
    worker.call([&] { last.set(2); });
  }
  std::vector<std::unique_ptr<ThreadLocal<int>>> others;
  for (int i = 0; i < 100; ++i) {
    others.push_back(std::make_unique<ThreadLocal<int>>());
    others.back()->set(1);
    EXPECT_NE(thread_block.map.log_key(thread_block.map.log_size() - 1).slot(), number);
  }
}

}  // namespace
}  // namespace carrel::local
