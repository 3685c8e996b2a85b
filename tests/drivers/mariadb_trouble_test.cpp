// Cancelling, deadlines, lost connections and what a borrower leaves behind.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/in_time.h"
#include "drivers/errors.h"
#include "drivers/failing_fetch.h"
#include "drivers/mariadb_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;
using std::chrono::milliseconds;

class MariadbTrouble : public testing::Test {
 protected:
  MariadbTrouble() {
    run("drop table if exists item");
    run("create table item (id bigint primary key)");
  }

  Result run(std::string_view sql) { return connection_->execute(sql); }
  std::string failing(std::string_view sql) {
    return thrown_by([&] { run(sql); });
  }
  void time_left(milliseconds left) {
    connection_->set_deadline(Clock::Steady::clock::now() + left);
  }
  std::int64_t count() {
    return open_mariadb()->execute("select count(*) from item").one().get<std::int64_t>(0);
  }
  // Returns once the connection runs something that takes its time.
  static void wait_until_running(std::int64_t id) {
    const auto watcher = open_mariadb();
    const array parameters = {Value(id)};
    while (watcher
               ->execute("select 1 from information_schema.processlist "
                         "where id = $1 and state = 'User sleep'",
                         parameters)
               .empty()) {
    }
  }

  std::unique_ptr<Driver> driver_ = mariadb_driver(mariadb_options());
  std::unique_ptr<Connection> connection_ = driver_->connect({});
};

TEST_F(MariadbTrouble, CancelEndsTheRunningStatement) {
  const auto id = id_of(*connection_);
  std::thread canceller([&] {
    wait_until_running(id);
    connection_->cancel();
  });
  EXPECT_EQ(failing("select sleep(60)"), "sql.cancelled, retryable");
  canceller.join();
  EXPECT_FALSE(connection_->broken());
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(MariadbTrouble, CancelWithNothingRunningHitsNothing) {
  connection_->cancel();
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(MariadbTrouble, CancelsThatRaceWithStatementsHitNoLaterOne) {
  std::atomic<bool> done = false;
  std::thread canceller([&] {
    while (!done) connection_->cancel();
  });
  for (int i = 0; i < 50; ++i) {
    const auto thrown = failing("select count(*) from seq_1_to_20000");
    EXPECT_TRUE(thrown == "nothing" || thrown == "sql.cancelled, retryable") << thrown;
  }
  done = true;
  canceller.join();
  EXPECT_FALSE(connection_->broken());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(failing("select 1"), "nothing");
}

TEST_F(MariadbTrouble, TheDeadlineEndsAStatementAndKeepsTheConnection) {
  time_left(milliseconds(30));
  EXPECT_EQ(failing("select sleep(60)"), "sql.deadline, retryable");
  EXPECT_FALSE(connection_->broken());
  connection_->set_deadline(kNoDeadline);
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(MariadbTrouble, ARowThatIsNotGivenIsAnErrorAndNotTheEndOfTheRows) {
  const auto* sql = "select concat('row ', seq) from seq_1_to_3";
  {
    const FailingFetch failing_row({.rows = 2});
    EXPECT_EQ(failing(sql), "sql.connection_lost, retryable");
  }
  EXPECT_TRUE(connection_->broken());
  connection_ = driver_->connect({});
  {
    const FailingFetch failing_cell({.cells = 2});
    EXPECT_EQ(failing(sql), "sql.connection_lost, retryable");
  }
  connection_ = driver_->connect({});
  {
    const FailingFetch failing_row({.rows = 0});
    EXPECT_EQ(failing("insert into item values (1) returning id"), "sql.connection_lost, in doubt");
  }
  EXPECT_EQ(count(), 1);
}

// The server does not notice that nobody reads any more, and KILL may have come before the
// statement.
TEST_F(MariadbTrouble, AStatementWhoseConnectionIsGivenUpDoesNotRunOn) {
  auto options = mariadb_options();
  options.grace = milliseconds(0);  // which no KILL is made within
  connection_ = open_mariadb(options);
  const auto id = id_of(*connection_);
  time_left(milliseconds(1));
  EXPECT_EQ(failing("select count(*) from seq_1_to_1000000 a, seq_1_to_1000000 b "
                    "where a.seq * b.seq < 0"),
            "sql.deadline, retryable");
  EXPECT_TRUE(connection_->broken());
  const auto watcher = open_mariadb();
  in_time([&] {
    const array parameters = {Value(id)};
    while (
        !watcher->execute("select 1 from information_schema.processlist where id = $1", parameters)
             .empty()) {
      std::this_thread::yield();
    }
  });
}

TEST_F(MariadbTrouble, TheDeadlineEndsAWriteAndNothingIsLeft) {
  run("insert into item select seq from seq_1_to_1000");
  connection_->begin({});
  run("insert into item values (0)");
  time_left(milliseconds(50));
  EXPECT_EQ(
      failing("insert into item select 2000 + a.id + b.id * 1000000 from item a, item b, item "
              "c where c.id + a.id + b.id < 0"),
      "sql.deadline, retryable");
  connection_->rollback();
  EXPECT_FALSE(connection_->broken());
  EXPECT_EQ(count(), 1'000);
}

TEST_F(MariadbTrouble, CommitIsNotSentAfterTheDeadline) {
  connection_->begin({});
  run("insert into item values (1)");
  connection_->set_deadline(Clock::Steady::clock::now() - milliseconds(1));
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.deadline, retryable");
  EXPECT_EQ(count(), 0);
}

TEST_F(MariadbTrouble, ADeadlockIsAConflict) {
  run("insert into item values (1), (2)");
  const auto other = driver_->connect({});
  connection_->begin({});
  other->begin({});
  run("update item set id = 1 where id = 1");
  other->execute("update item set id = 2 where id = 2");
  std::string theirs;
  std::thread crossing(
      [&] { theirs = thrown_by([&] { other->execute("update item set id = 1 where id = 1"); }); });
  const auto ours = failing("update item set id = 2 where id = 2");
  if (ours == "nothing") connection_->rollback();
  crossing.join();
  const std::string deadlock = "sql.deadlock, retryable";
  EXPECT_EQ((ours == deadlock) + (theirs == deadlock), 1) << ours << " / " << theirs;
  const auto& loser = ours == deadlock ? connection_ : other;
  EXPECT_TRUE(loser->in_transaction());
  EXPECT_EQ(thrown_by([&] { loser->execute("select 1"); }), "sql.rolled_back");
  loser->rollback();
  EXPECT_EQ(thrown_by([&] { loser->execute("select 1"); }), "nothing");
}

TEST_F(MariadbTrouble, AConnectionKilledWhileIdleIsNoticed) {
  kill_connection(id_of(*connection_));
  EXPECT_FALSE(connection_->validate());
  EXPECT_TRUE(connection_->broken());
}

TEST_F(MariadbTrouble, AReadOnAKilledConnectionMayBeRepeated) {
  kill_connection(id_of(*connection_));
  EXPECT_EQ(failing("select 1"), "sql.connection_lost, retryable");
  EXPECT_TRUE(connection_->broken());
}

TEST_F(MariadbTrouble, AConnectionKilledBetweenBeginAndTheFirstStatementLosesNothing) {
  const auto id = id_of(*connection_);
  connection_->begin({});
  kill_connection(id);
  EXPECT_EQ(failing("insert into item values (1)"), "sql.connection_lost, retryable");
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(MariadbTrouble, AConnectionKilledMidQueryIsNotInDoubtInsideATransaction) {
  const auto id = id_of(*connection_);
  connection_->begin({});
  run("insert into item values (1)");
  std::thread killer([&] {
    wait_until_running(id);
    kill_connection(id);
  });
  EXPECT_EQ(failing("do sleep(60)"), "sql.connection_lost, retryable");
  killer.join();
  EXPECT_EQ(count(), 0);
}

TEST_F(MariadbTrouble, AConnectionKilledBeforeCommitIsInDoubt) {
  const auto id = id_of(*connection_);
  connection_->begin({});
  run("insert into item values (1)");
  kill_connection(id);
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.connection_lost, in doubt");
  EXPECT_TRUE(connection_->broken());
}

TEST_F(MariadbTrouble, ResetOfACleanConnectionCostsNothing) {
  run("insert into item values (1)");
  run("select coalesce(max(id), 0), count(*) from item where id in (1, 2)");
  connection_->begin({});
  run("update item set id = 2 where id = 1");
  connection_->commit();
  const auto trips = connection_->round_trips();
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(connection_->round_trips(), trips);
}

TEST_F(MariadbTrouble, ResetRollsBackWhatIsOpenAndKeepsTheSettings) {
  connection_->begin({});
  run("insert into item values (1)");
  run("set @leftover = 1");
  EXPECT_TRUE(connection_->reset());
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 0);
  EXPECT_EQ(run("select @@time_zone").one().get<std::string>(0), "+00:00");
  EXPECT_EQ(run("select count(*) from item").one().get<int>(0), 0);
}

// An account with roles of its own, one of which every session of it starts with where `usual`.
class MariadbRole : public MariadbTrouble, public testing::WithParamInterface<bool> {
 protected:
  MariadbRole() {
    run("create role " + usual_);
    run("create role " + leftover_);
    run("create user " + user_ + " identified by 'secret'");
    run("grant all on " + own_name() + ".* to " + user_);
    for (const auto& role : {usual_, leftover_}) run("grant " + role + " to " + user_);
    if (GetParam()) run("set default role " + usual_ + " for " + user_);
  }
  ~MariadbRole() override {
    run("drop user " + user_);
    run("drop role " + usual_ + ", " + leftover_);
  }
  static std::string role_of(Connection& connection) {
    return connection.execute("select coalesce(current_role(), 'none')").one().get<std::string>(0);
  }

  const std::string user_ = own_name() + "_user";
  const std::string usual_ = own_name() + "_usual";
  const std::string leftover_ = own_name() + "_leftover";
};

TEST_P(MariadbRole, IsAfterResetWhatTheSessionStartedWith) {
  auto options = mariadb_options();
  options.user = user_;
  options.password = "secret";
  const auto connection = open_mariadb(options);
  const auto start = GetParam() ? usual_ : "none";
  EXPECT_EQ(role_of(*connection), start);
  for (const auto& role : {leftover_, std::string("none"), usual_}) {
    connection->execute("set role " + role);
    ASSERT_EQ(role_of(*connection), role);
    EXPECT_TRUE(connection->reset());
    EXPECT_EQ(role_of(*connection), start);
  }
}

INSTANTIATE_TEST_SUITE_P(Sessions, MariadbRole, testing::Bool(), [](const auto& usual) {
  return usual.param ? "WithOneOfTheirOwn" : "WithNone";
});

// A locked table leaves no trace in its own connection: another one must try.
TEST_F(MariadbTrouble, ResetGivesLockedTablesBack) {
  const auto other = driver_->connect({});
  const auto taken = [&] {
    return thrown_by([&] { other->execute("lock tables item write nowait"); });
  };
  for (const auto* sql : {"lock tables item write", "lock tables item read"}) {
    run(sql);
    EXPECT_EQ(taken(), "sql.lock_timeout, retryable") << sql;
    EXPECT_TRUE(connection_->reset());
    EXPECT_EQ(taken(), "nothing") << sql;
    EXPECT_TRUE(other->reset());
  }
  EXPECT_EQ(failing("select count(*) from information_schema.tables"), "nothing");
}

}  // namespace
}  // namespace carrel::test
