#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "db/stub_driver.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

// The examples of docs/reference/routing.md. They hold for ever: rows lie by them.
TEST(ShardKey, HashesAsDocumented) {
  EXPECT_EQ(ShardKey("").hash(), 0xefd01f60ba992926U);
  EXPECT_EQ(ShardKey("alice").hash(), 0x3507d047a67c08f4U);
  EXPECT_EQ(ShardKey("bob").hash(), 0xf6493629e5654ae0U);
  EXPECT_EQ(ShardKey("\xe4\xba\xac").hash(), 0x4b48a4bcd6fe4e48U);
  EXPECT_EQ(ShardKey(std::int64_t{7}).hash(), 0xcf48ffa9f52ba797U);
  EXPECT_EQ(ShardKey("alice").bucket(1'024), 244U);
}

TEST(ShardKey, OfANumberIsThatOfItsText) {
  for (const auto number :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{42}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(ShardKey(number), ShardKey(std::to_string(number)));
}

// Neighbouring numbers are the commonest keys there are, and the hardest for a plain FNV.
TEST(ShardKey, SpreadsNeighboursEvenly) {
  constexpr int buckets = 64;
  constexpr int each = 1'000;
  std::vector<int> counts(buckets);
  for (std::int64_t i = 0; i < std::int64_t{buckets} * each; ++i)
    ++counts[ShardKey(i).bucket(buckets)];
  const auto [least, most] = std::ranges::minmax(counts);
  // Six standard deviations of an even spread.
  EXPECT_GT(least, each - 190);
  EXPECT_LT(most, each + 190);
}

TEST(ShardKey, StaysInOneOfTwoBucketsWhenTheirNumberIsDoubled) {
  for (std::int64_t i = 0; i < 1'000; ++i)
    EXPECT_EQ(ShardKey(i).bucket(2'048) % 1'024, ShardKey(i).bucket(1'024));
}

class ShardedSession : public testing::Test {
 protected:
  // Bucket 0 and 1 on a, 2 on b, 3 nowhere.
  ShardedSession() {
    for (std::int64_t i = 0; keys_.size() < 4 || others_.size() < 4; ++i) {
      const ShardKey key(i);
      auto& kept = keys_.size() == key.bucket(4) ? keys_ : others_;
      if (kept.size() == key.bucket(4)) kept.push_back(key);
    }
  }
  [[nodiscard]] std::vector<Route> routes() {
    return {{"a", &pool_a_, {{"t", "t"}}}, {"b", &pool_b_, {{"t", "t"}}}};
  }
  [[nodiscard]] std::string refused(std::vector<BucketRange> ranges, std::size_t buckets = 4) {
    return message_of([&] {
      const Session made({.routes = routes(),
                          .shards = Shards{.buckets = buckets,
                                           .ranges = std::move(ranges),
                                           .key = [this] { return key_.find(); }}});
    });
  }
  void insert() { session_.execute("insert into {t} values ($1)", 1); }

  StubDriver driver_a_;
  StubDriver driver_b_;
  Pool pool_a_{{.name = "a", .size_max = 3, .maintain_every = {}}, driver_a_};
  Pool pool_b_{{.name = "b", .size_max = 3, .maintain_every = {}}, driver_b_};
  RequestLocal<ShardKey> key_{"key"};
  std::vector<std::chrono::nanoseconds> pauses_;
  Session session_{{.routes = routes(),
                    .shards = Shards{.buckets = 4,
                                     .ranges = {{0, 1, "a"}, {2, 2, "b"}},
                                     .key = [this] { return key_.find(); }},
                    .pause = [this](std::chrono::nanoseconds time) { pauses_.push_back(time); }}};
  std::vector<ShardKey> keys_;    // one of every bucket
  std::vector<ShardKey> others_;  // and another one
  const Scope scope_{{.name = "a test"}};
};

TEST_F(ShardedSession, AStatementGoesWhereTheKeysBucketIs) {
  key_.set(keys_[0]);
  insert();
  key_.set(keys_[2]);
  insert();
  EXPECT_EQ(driver_a_.diary(), (Diary{"1 insert into t values ($1)"}));
  EXPECT_EQ(driver_b_.diary(), (Diary{"1 insert into t values ($1)"}));
}

TEST_F(ShardedSession, WithoutAKeyOrWithABucketThatIsNowhereNothingIsSent) {
  EXPECT_EQ(thrown_by([&] { insert(); }), "no_shard_key");
  EXPECT_EQ(thrown_by([&] { session_.transaction([&] { insert(); }); }), "no_shard_key");
  key_.set(keys_[3]);
  EXPECT_EQ(thrown_by([&] { insert(); }), "unknown_bucket");
  EXPECT_EQ(driver_a_.diary(), Diary());
  EXPECT_EQ(driver_b_.diary(), Diary());
}

TEST_F(ShardedSession, ATransactionIsOfOneKeyAlsoOnOneShardAndInOneBucket) {
  for (const auto& other : {keys_[2], keys_[1], others_[0]}) {
    key_.set(keys_[0]);
    EXPECT_EQ(thrown_by([&] {
                session_.transaction([&] {
                  insert();
                  const auto bound = key_.bind(other);
                  insert();
                });
              }),
              "shard_key_changed");
  }
  EXPECT_EQ(std::ranges::count(driver_a_.diary(), "1 commit"), 0);
  EXPECT_EQ(driver_b_.diary(), Diary());
}

TEST_F(ShardedSession, EveryWayOfSendingLooksAtTheKey) {
  key_.set(keys_[0]);
  constexpr std::array<std::string_view, 1> columns = {"v"};
  const std::array values = {Value(1)};
  const auto with_another_key = [&](const auto& send) {
    return thrown_by([&] {
      session_.transaction([&] {
        insert();
        const auto bound = key_.bind(others_[0]);
        send();
      });
    });
  };
  EXPECT_EQ(with_another_key([&] { session_.batch(Batch().add("delete from {t}")); }),
            "shard_key_changed");
  EXPECT_EQ(with_another_key([&] { session_.load("t", columns, values); }), "shard_key_changed");
  EXPECT_EQ(with_another_key([&] { session_.transaction([&] { insert(); }); }),
            "shard_key_changed");
  EXPECT_EQ(with_another_key([&] {
              session_.transaction({.propagation = Propagation::nested}, [&] { insert(); });
            }),
            "shard_key_changed");
}

TEST_F(ShardedSession, ARefusedKeyLeavesTheTransactionAsItWas) {
  key_.set(keys_[0]);
  session_.transaction([&] {
    insert();
    EXPECT_EQ(thrown_by([&] {
                const auto bound = key_.bind(keys_[2]);
                insert();
              }),
              "shard_key_changed");
    insert();
  });
  EXPECT_EQ(driver_a_.diary(), (Diary{"1 begin", "1 insert into t values ($1)",
                                      "1 insert into t values ($1)", "1 commit"}));
}

TEST_F(ShardedSession, ATransactionOfItsOwnMayBeOfAnotherKey) {
  key_.set(keys_[0]);
  session_.transaction([&] {
    insert();
    const auto bound = key_.bind(keys_[2]);
    session_.transaction({.propagation = Propagation::requires_new}, [&] { insert(); });
  });
  EXPECT_EQ(driver_b_.diary(), (Diary{"1 begin", "1 insert into t values ($1)", "1 commit"}));
}

TEST_F(ShardedSession, AKeyThatChangesBeforeTheFirstStatementIsNoChange) {
  session_.transaction([&] {
    key_.set(keys_[0]);
    key_.set(keys_[2]);
    insert();
  });
  EXPECT_EQ(driver_a_.diary(), Diary());
  EXPECT_EQ(driver_b_.diary().size(), 3U);
}

TEST_F(ShardedSession, ARetryGoesToTheSameShard) {
  driver_b_.at(StubPoint::commit, [] { throw conflict(); }, 2);
  key_.set(keys_[2]);
  session_.transaction({.retry = Retry::conflicts(5)}, [&] { insert(); });
  EXPECT_EQ(driver_a_.diary(), Diary());
  EXPECT_EQ(std::ranges::count(driver_b_.diary(), "1 begin"), 3);
  EXPECT_EQ(pauses_.size(), 2U);
}

TEST_F(ShardedSession, AMapThatIsWrongIsRefusedAtOnce) {
  EXPECT_NE(refused({{0, 3, "c"}}).find("no such route"), std::string::npos);
  EXPECT_NE(refused({{0, 4, "a"}}).find("there are buckets 0 to 3"), std::string::npos);
  EXPECT_NE(refused({{2, 1, "a"}}).find("there are buckets 0 to 3"), std::string::npos);
  EXPECT_NE(refused({{0, 2, "a"}, {2, 3, "b"}}).find("bucket 2 is on 'a' already"),
            std::string::npos);
  EXPECT_NE(refused({}, 0).find("no buckets"), std::string::npos);
  EXPECT_EQ(thrown_by([&] {
              const Session made({.routes = routes(), .shards = Shards{.ranges = {{0, 9, "a"}}}});
            }),
            "invalid_shards");
  EXPECT_EQ(refused({}), "");  // a map that is all gaps is a map
}

}  // namespace
}  // namespace carrel::test
