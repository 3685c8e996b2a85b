#include "lab/weak_key_map.h"

#include <gtest/gtest.h>

#include <string>

namespace carrel::lab {
namespace {

WeakKey variable(std::size_t number) {
  return std::make_shared<const WeakVariable>(number);
}

TEST(WeakKeyMap, FindsWhatWasSet) {
  WeakKeyMap<std::string> map;
  std::vector<WeakKey> keys;
  for (std::size_t i = 0; i < 100; ++i) {
    keys.push_back(variable(i));
    map.set(keys.back(), std::to_string(i));
  }
  map.set(keys[7], "seven");
  EXPECT_EQ(map.entries(), 100u);
  EXPECT_EQ(*map.find(keys[7]), "seven");
  EXPECT_EQ(*map.find(keys[99]), "99");
  EXPECT_EQ(map.find(variable(7)), nullptr) << "another variable, even of the same hash";
}

TEST(WeakKeyMap, KeepsStaleEntriesThatNobodyComesAcross) {
  WeakKeyMap<std::string> map;
  WeakKey dying = variable(0);
  const WeakKey living = variable(1);
  map.set(dying, "a");
  map.set(living, "b");
  dying.reset();
  EXPECT_EQ(*map.find(living), "b");
  EXPECT_EQ(map.entries(), 2u);
}

TEST(WeakKeyMap, ClearsAStaleEntryThatASearchComesAcrossAndClosesTheRun) {
  WeakKeyMap<std::string> map;
  WeakKey dying = variable(3);
  const WeakKey same_home = variable(3);
  map.set(dying, "a");
  map.set(same_home, "b");
  dying.reset();
  EXPECT_EQ(*map.find(same_home), "b");
  EXPECT_EQ(map.entries(), 1u);
}

TEST(WeakKeyMap, GrowthClearsAllStaleEntries) {
  WeakKeyMap<std::string> map;
  for (std::size_t i = 0; i < 10'000; ++i) map.set(variable(i), "dies at once");
  EXPECT_LE(map.entries(), 16u);
}

}  // namespace
}  // namespace carrel::lab
