// Reading over both clusters at once, by postgres_fdw on one of them as the coordinator.
#include <optional>

#include "far/two_shards.h"

namespace carrel::test {
namespace {

class ForeignRead : public testing::Test {
 protected:
  ForeignRead() {
    const auto connection = a_.open();
    connection->execute("create extension postgres_fdw");
    connection->execute("create schema whole");
    connection->execute(
        "create table whole.account (customer text, bucket int, balance bigint) "
        "partition by range (bucket)");
    add(*connection, "SHARD_A", 0, kBuckets / 2);
    add(*connection, "SHARD_B", kBuckets / 2, kBuckets);
    a_.open()->execute("insert into account values ('on a', 1, 100)");
    b_.open()->execute("insert into account values ('on b', 60, 100)");
    session_.emplace(
        SessionOptions{.routes = {{"whole", &a_.pool(), {{"account", "whole.account"}}}}});
  }
  static void add(Connection& connection, const std::string& shard, std::size_t from,
                  std::size_t to) {
    connection.execute("create server " + shard +
                       " foreign data wrapper postgres_fdw options (host '127.0.0.1', port '" +
                       server_setting(shard + "_PORT") + "', dbname '" + own_name() + "')");
    connection.execute("create user mapping for current_user server " + shard +
                       " options (user 'postgres', password '" + server_setting("PASSWORD") + "')");
    connection.execute("create foreign table whole.account_" + shard +
                       " partition of whole.account for values from (" + std::to_string(from) +
                       ") to (" + std::to_string(to) + ") server " + shard +
                       " options (schema_name 'public', table_name 'account')");
  }
  std::int64_t total(const std::string& where = "") {
    return session_->execute("select coalesce(sum(balance), 0)::bigint from {account}" + where)
        .one()
        .get<std::int64_t>(0);
  }

  Shard a_{"SHARD_A"};
  Shard b_{"SHARD_B"};
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
};

TEST_F(ForeignRead, OneStatementSumsBothShards) {
  EXPECT_EQ(total(), 200);
  EXPECT_EQ(total(" where bucket < 32"), 100);
}

// What postgres_fdw does not promise: each shard's snapshot begins when the transaction first reads
// there. The transfer between the two looks shows on one side only.
TEST_F(ForeignRead, HasNoCommonSnapshot) {
  session_->transaction({.read_only = true}, [&] {
    EXPECT_EQ(total(" where bucket < 32"), 100);
    a_.open()->execute("update account set balance = balance - 30");
    b_.open()->execute("update account set balance = balance + 30");
    EXPECT_EQ(total(), 230);
  });
  EXPECT_EQ(total(), 200);
}

}  // namespace
}  // namespace carrel::test
