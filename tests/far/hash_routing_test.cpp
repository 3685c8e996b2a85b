// Rows spread over two real clusters by the hash of a customer.
#include <thread>

#include "drivers/errors.h"
#include "far/two_shards.h"

namespace carrel::test {
namespace {

class HashRouting : public testing::Test {
 protected:
  void open_account(const std::string& customer) {
    const ShardKey key(customer);
    const auto bound = key_.bind(key);
    session_.execute("insert into account values ($1, $2, 100)", customer,
                     static_cast<std::int64_t>(key.bucket(kBuckets)));
  }
  [[nodiscard]] bool is_on_b(const std::string& customer) {
    return ShardKey(customer).bucket(kBuckets) >= kBuckets / 2;
  }

  Shard a_{"SHARD_A"};
  Shard b_{"SHARD_B"};
  RequestLocal<ShardKey> key_{"customer"};
  Session session_{{.routes = {{"a", &a_.pool(), {}}, {"b", &b_.pool(), {}}},
                    .shards = half_and_half(key_),
                    .pause = [](std::chrono::nanoseconds) {}}};
  const Scope scope_{{.name = "a test"}};
};

TEST_F(HashRouting, EveryRowIsOnTheShardOfItsBucketAndIsFoundThereAgain) {
  for (int i = 0; i < 100; ++i) open_account("c" + std::to_string(i));
  const std::string half = std::to_string(kBuckets / 2);
  EXPECT_EQ(a_.number("select count(*) from account where bucket >= " + half), 0);
  EXPECT_EQ(b_.number("select count(*) from account where bucket < " + half), 0);
  EXPECT_GT(a_.number("select count(*) from account"), 20);
  EXPECT_GT(b_.number("select count(*) from account"), 20);
  for (int i = 0; i < 100; ++i) {
    const auto customer = "c" + std::to_string(i);
    const auto bound = key_.bind(ShardKey(customer));
    EXPECT_FALSE(session_.execute("select 1 from account where customer = $1", customer).empty());
  }
}

TEST_F(HashRouting, AnotherCustomerInsideATransactionIsRefusedAndNothingIsKept) {
  open_account("c1");
  const auto bound = key_.bind(ShardKey("c1"));
  EXPECT_EQ(thrown_by([&] {
              session_.transaction([&] {
                session_.execute("update account set balance = 0 where customer = 'c1'");
                const auto other = key_.bind(ShardKey("c2"));
                session_.execute("update account set balance = 0 where customer = 'c2'");
              });
            }),
            "shard_key_changed");
  EXPECT_EQ(session_.execute("select balance from account where customer = 'c1'")
                .one()
                .get<std::int64_t>(0),
            100);
}

// A real 40001: another transaction changes the row after the first has taken its snapshot.
TEST_F(HashRouting, ATransactionThatIsRunAgainGoesToTheSameShard) {
  for (const std::string customer : {"c0", "c1", "c2", "c3", "c4", "c5"}) {
    open_account(customer);
    auto& shard = is_on_b(customer) ? b_ : a_;
    const auto bound = key_.bind(ShardKey(customer));
    std::vector<std::int64_t> ports;
    session_.transaction({.isolation = Isolation::serializable, .retry = Retry::conflicts(3)}, [&] {
      ports.push_back(session_.execute("select inet_server_port()").one().get<std::int64_t>(0));
      if (ports.size() == 1) {
        const std::array parameters = {Value(std::string_view(customer))};
        shard.open()->execute("update account set balance = balance + 1 where customer = $1",
                              parameters);
      }
      session_.execute("update account set balance = balance * 2 where customer = $1", customer);
    });
    ASSERT_EQ(ports.size(), 2U);
    EXPECT_EQ(ports[0], ports[1]);
    EXPECT_EQ(shard.number("select balance from account where customer = '" + customer + "'"), 202);
  }
}

}  // namespace
}  // namespace carrel::test
