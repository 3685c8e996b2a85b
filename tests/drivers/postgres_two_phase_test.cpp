// prepare() and finish_prepared() of the PostgreSQL driver.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "drivers/errors.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

class PostgresTwoPhase : public testing::Test {
 protected:
  PostgresTwoPhase() {
    connection_->execute("drop table if exists item");
    connection_->execute("create table item (id bigint primary key)");
  }
  ~PostgresTwoPhase() override {
    static_cast<void>(other_->finish_prepared(name_, Prepared::roll_back));
  }
  void insert_and_prepare() {
    connection_->begin({});
    connection_->execute("insert into item values (1)");
    connection_->prepare(name_);
  }
  std::int64_t count() {
    return other_->execute("select count(*) from item").one().get<std::int64_t>(0);
  }

  const std::string name_ = own_name() + "/1";
  std::unique_ptr<Connection> connection_ = open_postgres();
  std::unique_ptr<Connection> other_ = open_postgres();
};

TEST_F(PostgresTwoPhase, WhatIsPreparedIsFinishedByWhicheverConnection) {
  insert_and_prepare();
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 0);
  connection_.reset();  // it outlives who prepared it
  EXPECT_TRUE(other_->finish_prepared(name_, Prepared::commit));
  EXPECT_EQ(count(), 1);
  EXPECT_FALSE(other_->finish_prepared(name_, Prepared::commit));
  EXPECT_FALSE(other_->finish_prepared(name_, Prepared::roll_back));
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresTwoPhase, WhatIsRolledBackLeavesNothing) {
  insert_and_prepare();
  EXPECT_TRUE(other_->finish_prepared(name_, Prepared::roll_back));
  EXPECT_EQ(count(), 0);
  connection_->execute("insert into item values (1)");  // usable, and nothing is locked
}

TEST_F(PostgresTwoPhase, ASpoiledTransactionIsRolledBackInsteadOfPrepared) {
  connection_->begin({});
  connection_->execute("insert into item values (1)");
  EXPECT_EQ(thrown_by([&] { connection_->execute("select 1/0"); }), "sql.other");
  EXPECT_EQ(thrown_by([&] { connection_->prepare(name_); }), "sql.rolled_back");
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_FALSE(other_->finish_prepared(name_, Prepared::commit));
}

TEST_F(PostgresTwoPhase, WithoutATransactionThereIsNothingToPrepare) {
  EXPECT_EQ(thrown_by([&] { connection_->prepare(name_); }), "sql.transaction_lost");
  connection_->begin({});
  EXPECT_EQ(thrown_by([&] { connection_->prepare(name_); }), "sql.transaction_lost");
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(PostgresTwoPhase, ANameThatIsTakenIsRefusedAndRollsBack) {
  insert_and_prepare();
  const auto second = open_postgres();
  second->begin({});
  second->execute("insert into item values (2)");
  EXPECT_NE(thrown_by([&] { second->prepare(name_); }), "nothing");
  EXPECT_FALSE(second->in_transaction());
  EXPECT_TRUE(second->finish_prepared(name_, Prepared::commit));
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresTwoPhase, AfterItsDeadlineNothingIsPrepared) {
  connection_->begin({});
  connection_->execute("insert into item values (1)");
  connection_->set_deadline(Clock::Steady::clock::now());
  EXPECT_EQ(thrown_by([&] { connection_->prepare(name_); }), "sql.deadline, retryable");
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_FALSE(other_->finish_prepared(name_, Prepared::commit));
}

TEST_F(PostgresTwoPhase, ABackendKilledBeforeItsPrepareIsInDoubt) {
  connection_->begin({});
  connection_->execute("insert into item values (1)");
  kill_backend(*connection_);
  EXPECT_EQ(thrown_by([&] { connection_->prepare(name_); }), "sql.connection_lost, in doubt");
  EXPECT_FALSE(other_->finish_prepared(name_, Prepared::commit));
  EXPECT_TRUE(connection_->broken());
}

}  // namespace
}  // namespace carrel::test
