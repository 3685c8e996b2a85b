#include "lab/thread_keyed_map.h"

#include <gtest/gtest.h>

#include "lab/crew.h"

namespace carrel::lab {
namespace {

template <class Map>
class ThreadKeyedMap : public testing::Test {};
using Maps = testing::Types<LockedMap<int>, StripedMap<int>>;
TYPED_TEST_SUITE(ThreadKeyedMap, Maps);

TYPED_TEST(ThreadKeyedMap, GivesEachThreadItsOwnValue) {
  TypeParam map([] { return 100; });
  {
    Crew crew(8);
    crew.each([&](std::size_t n) { map.mine() += static_cast<int>(n); });
    crew.each([&](std::size_t n) { EXPECT_EQ(map.mine(), 100 + static_cast<int>(n)); });
  }
  EXPECT_EQ(map.entries(), 8u) << "the threads have ended, their values have not";
}

}  // namespace
}  // namespace carrel::lab
