// What BEGIN's options become on a real PostgreSQL: by name, and by what they do.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/in_time.h"
#include "drivers/errors.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

using std::string;

constexpr std::array kIsolations{Isolation::standard, Isolation::read_committed,
                                 Isolation::repeatable_read, Isolation::serializable};
constexpr std::array<const char*, 4> kNames{"read committed", "read committed", "repeatable read",
                                            "serializable"};

// A connection with one row that another one changes.
class PostgresBegin : public testing::Test {
 protected:
  PostgresBegin() : connection_(open_postgres()), other_(open_postgres()) {
    other_->execute("drop table if exists counter");
    other_->execute("create table counter (value bigint)");
    other_->execute("insert into counter values (0)");
  }
  static std::int64_t value(Connection& connection) {
    return connection.execute("select sum(value) from counter").one().get<std::int64_t>(0);
  }

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> other_;
};

TEST_F(PostgresBegin, SaysEveryOption) {
  for (const std::size_t statements_max : {0U, 256U}) {
    auto options = postgres_options();
    options.statements_max = statements_max;
    const auto connection = open_postgres(options);
    const auto told = [&](const BeginOptions& begin) {
      connection->begin(begin);
      const auto row = connection
                           ->execute(
                               "select current_setting('transaction_isolation') || ', ' || "
                               "current_setting('transaction_read_only') || ', ' || "
                               "current_setting('transaction_deferrable')")
                           .one();
      connection->commit();
      return row.get<string>(0);
    };
    for (std::size_t i = 0; i < kIsolations.size(); ++i) {
      for (const auto access : {Access::read_write, Access::read_only}) {
        for (const bool deferrable : {false, true}) {
          EXPECT_EQ(
              told({.isolation = kIsolations.at(i), .access = access, .deferrable = deferrable}),
              string(kNames.at(i)) + (access == Access::read_only ? ", on" : ", off") +
                  (deferrable ? ", on" : ", off"));
        }
      }
    }
    EXPECT_EQ(told({}), "read committed, off, off");  // nothing outlives its transaction
  }
}

TEST_F(PostgresBegin, SaysWhatIsAskedForWhateverTheSessionsDefaultsAre) {
  connection_->execute("set default_transaction_isolation = 'serializable'");
  connection_->execute("set default_transaction_read_only = on");
  const auto told = [&](const BeginOptions& begin) {
    connection_->begin(begin);
    const auto row = connection_
                         ->execute(
                             "select current_setting('transaction_isolation') || ', ' || "
                             "current_setting('transaction_read_only')")
                         .one();
    connection_->commit();
    return row.get<string>(0);
  };
  EXPECT_EQ(told({}), "serializable, off");
  EXPECT_EQ(told({.isolation = Isolation::read_committed}), "read committed, off");
  EXPECT_EQ(told({.access = Access::read_only}), "serializable, on");
}

// After BEGIN had been sent, and rolled back with the statement that had to be prepared anew.
TEST_F(PostgresBegin, IsTheSameWhereItIsSentTwice) {
  const char* sql = "select *, current_setting('transaction_isolation') as told from counter";
  connection_->execute(sql);
  other_->execute("alter table counter add column extra int");
  connection_->begin({.isolation = Isolation::serializable});
  EXPECT_EQ(connection_->execute(sql)[0].get<string>("told"), "serializable");
  connection_->commit();
}

TEST_F(PostgresBegin, ReadCommittedSeesWhatIsCommittedMeanwhile) {
  connection_->begin({.isolation = Isolation::read_committed});
  EXPECT_EQ(value(*connection_), 0);
  other_->execute("update counter set value = 1");
  EXPECT_EQ(value(*connection_), 1);
  other_->execute("insert into counter values (10)");
  EXPECT_EQ(value(*connection_), 11);
  connection_->commit();
}

TEST_F(PostgresBegin, RepeatableReadSeesWhatItSawFirst) {
  connection_->begin({.isolation = Isolation::repeatable_read});
  EXPECT_EQ(value(*connection_), 0);
  other_->execute("update counter set value = 1");
  other_->execute("insert into counter values (10)");
  EXPECT_EQ(value(*connection_), 0);
  connection_->commit();
  EXPECT_EQ(value(*connection_), 11);
}

TEST_F(PostgresBegin, DeferrableWaitsUntilItsSnapshotIsSafe) {
  other_->begin({.isolation = Isolation::serializable});
  value(*other_);  // from now on it might write what makes a snapshot unsafe
  BeginOptions options{.isolation = Isolation::serializable, .access = Access::read_only};
  connection_->begin(options);
  EXPECT_EQ(value(*connection_), 0);  // at once, at the risk of a conflict
  connection_->commit();

  options.deferrable = true;
  connection_->begin(options);
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(thrown_by([&] { value(*connection_); }), "sql.deadline, retryable");
  connection_->set_deadline(kNoDeadline);
  connection_->rollback();

  other_->commit();
  connection_->begin(options);
  in_time([&] { EXPECT_EQ(value(*connection_), 0); });
  connection_->commit();
}

}  // namespace
}  // namespace carrel::test
