#include "db/statement_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace carrel::db {
namespace {

using Cache = StatementCache<int>;

// What is found under the text, or 0; by the key as well where there is one.
int found(Cache& cache, std::string_view text, std::uint64_t key = 0) {
  const auto* prepared = cache.find(Statement(text, key));
  return prepared == nullptr ? 0 : *prepared;
}
void insert(Cache& cache, std::string_view text, int prepared, std::uint64_t key = 0) {
  cache.insert(Statement(text, key), prepared);
}

TEST(StatementCache, HoldsNoMoreThanItMayAndDropsWhatWasUsedLeastRecently) {
  Cache cache(2);
  insert(cache, "one", 1);
  insert(cache, "two", 2);
  EXPECT_EQ(found(cache, "one"), 1);
  insert(cache, "three", 3);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(found(cache, "two"), 0);
  EXPECT_EQ(found(cache, "one"), 1);
  EXPECT_EQ(found(cache, "three"), 3);
}

TEST(StatementCache, HoldsOneWhereItMayHoldNone) {
  Cache cache(0);
  insert(cache, "one", 1);
  EXPECT_EQ(found(cache, "one"), 1);
  insert(cache, "two", 2);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(StatementCache, KeepsOneTextInTwoPlacesApartAlsoByItsKey) {
  Cache cache(4);
  insert(cache, "one", 1, 7);
  cache.set_space(5);
  EXPECT_EQ(found(cache, "one", 7), 0);
  EXPECT_EQ(found(cache, "one"), 0);
  insert(cache, "one", 2, 7);
  EXPECT_EQ(found(cache, "one", 7), 2);
  cache.set_space(0);
  EXPECT_EQ(found(cache, "one", 7), 1);
  cache.erase("one");
  cache.set_space(5);
  EXPECT_EQ(found(cache, "one", 7), 2);
}

// Keys are remembered by address: one that outlives its entry would lead to freed memory.
TEST(StatementCache, ForgetsTheKeyAlongWithTheStatement) {
  Cache cache(1);
  insert(cache, "one", 1, 7);
  insert(cache, "two", 2, 8);
  EXPECT_EQ(found(cache, "one", 7), 0);
  cache.erase("two");
  EXPECT_EQ(found(cache, "two", 8), 0);
  insert(cache, "three", 3, 9);
  cache.clear();
  EXPECT_EQ(found(cache, "three", 9), 0);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(StatementCache, TwoKeysInOnePlaceAreToldApart) {
  constexpr std::uint64_t kPlaces = 256;
  Cache cache(4);
  insert(cache, "one", 1, 7);
  insert(cache, "two", 2, 7 + kPlaces);
  EXPECT_EQ(found(cache, "one", 7), 1);
  EXPECT_EQ(found(cache, "two", 7 + kPlaces), 2);
  cache.erase("one");
  EXPECT_EQ(found(cache, "two", 7 + kPlaces), 2);
}

}  // namespace
}  // namespace carrel::db
