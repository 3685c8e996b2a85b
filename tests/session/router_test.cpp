#include "session/router.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/code_of.h"
#include "db/stub_driver.h"

namespace carrel::session {
namespace {

using namespace std::string_literals;

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

// So many that some meet where the router remembers what it resolved last.
TEST_F(RouterTest, ATextThatStandsInManyPlacesIsNeverTakenForThatOfAnotherRoute) {
  const std::vector<std::string> copies(4'000, "select 1 from {t}");
  for (const std::string_view route : {"a", "b"}) {
    mark_ = route;
    for (const auto& copy : copies)
      ASSERT_EQ(router_.resolve(copy)->sql, "select 1 from " + std::string(route) + "_t");
  }
}

TEST_F(RouterTest, KeepsNoMoreStatementsThanItMay) {
  for (const auto* text : {"select 1", "select 2", "select 3", "select 4"})
    EXPECT_EQ(router_.resolve(text)->key, router_.resolve(text)->key);
  EXPECT_NE(router_.resolve("select 5")->key, router_.resolve("select 5")->key);
}

TEST_F(RouterTest, ResolvesBeyondItsCacheWithoutKeeping) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20; ++i) {
      const auto n = std::to_string(i);
      EXPECT_EQ(router_.resolve("select " + n + " from {t}")->sql, "select " + n + " from a_t");
    }
  }
}

// By comparing names up to eight of them, and by a hash table beyond.
TEST_F(RouterTest, FindsEachOfFewAndOfManyRoutesByItsNameAndNoOther) {
  for (const int count : {2, 8, 9, 300}) {
    SCOPED_TRACE(count);
    std::vector<Route> many;
    for (int i = 0; i < count; ++i) {
      const auto name = "tenant " + std::to_string(i);
      many.push_back({name, &pool_, {{"t", "t_" + std::to_string(i)}}});
    }
    std::string mark;
    const Router router(
        std::move(many), [&mark] { return std::optional<std::string_view>(mark); }, 4'096);
    for (int i = 0; i < count; ++i) {
      mark = "tenant " + std::to_string(i);
      EXPECT_EQ(router.destination().route.name, mark);
      EXPECT_EQ(router.resolve("delete from {t}")->sql, "delete from t_" + std::to_string(i));
    }
    for (const auto& unknown : {"tenant " + std::to_string(count), "tenant 0 "s, "tenant"s, ""s}) {
      mark = unknown;
      EXPECT_EQ(code_of([&] { static_cast<void>(router.destination()); }), "unknown_route");
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
