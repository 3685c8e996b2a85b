#include "session/router.h"

#include <gtest/gtest.h>

#include <thread>

#include "db/stub_driver.h"

namespace carrel::session {
namespace {

class RouterTest : public testing::Test {
 protected:
  [[nodiscard]] std::vector<Route> routes() {
    return {{"a", &pool_, {{"t", "a_t"}, {"t2", "a_t2"}}}, {"b", &pool_, {{"t", "b_t"}}}};
  }
  test::StubDriver driver_;
  Pool pool_{{.name = "pool", .size_max = 1, .maintain_every = {}}, driver_};
  std::string_view mark_ = "a";
  Router router_{routes(), [this] { return std::optional(mark_); }, 4};
};

TEST_F(RouterTest, OneTextHasOneStatementForEachRoute) {
  const auto first = router_.resolve("select * from {t}, {t2}");
  EXPECT_EQ(first->sql, "select * from a_t, a_t2");
  EXPECT_EQ(&*router_.resolve("select * from {t}, {t2}"), &*first);

  const auto a = router_.resolve("delete from {t}");
  mark_ = "b";
  const auto b = router_.resolve("delete from {t}");
  EXPECT_EQ(b->sql, "delete from b_t");
  EXPECT_NE(a->key, b->key);
}

TEST_F(RouterTest, ATextIsKnownByItsWordsAndNotByItsAddress) {
  std::string buffer = "select 1 from {t}";
  const auto first = router_.resolve(buffer);
  buffer = "select 2 from {t}";  // the same address and length
  EXPECT_EQ(router_.resolve(buffer)->sql, "select 2 from a_t");
  EXPECT_EQ(&*router_.resolve(std::string("select 1 from {t}")), &*first);
}

TEST_F(RouterTest, ResolvesBeyondItsCacheWithoutKeeping) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      const auto n = std::to_string(i);
      EXPECT_EQ(router_.resolve("select " + n + " from {t}")->sql, "select " + n + " from a_t");
    }
  }
}

TEST_F(RouterTest, GuessesWhatOnlyReads) {
  EXPECT_EQ(router_.resolve(" Select 1")->access, Access::read_only);
  EXPECT_EQ(router_.resolve("insert into {t} select 1")->access, Access::read_write);
}

TEST_F(RouterTest, ServesManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2'000; ++i) {
        const auto n = std::to_string(i % 7);
        ASSERT_EQ(router_.resolve("select " + n + " from {t}")->sql, "select " + n + " from a_t");
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace carrel::session
