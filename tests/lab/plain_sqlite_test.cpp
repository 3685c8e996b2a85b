#include "lab/plain_sqlite.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>

#include "carrel/db/sql_error.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

using namespace std::chrono_literals;

class PlainSqlite : public testing::Test {
 protected:
  PlainSqlite() { first_->execute("create table t (number integer, name text)", {}); }

  std::int64_t rows() {
    return second_->execute("select count(*) from t", {}).one().get<std::int64_t>(0);
  }
  void insert(Connection& connection) {
    connection.execute("insert into t values ($1, $2)", std::array{Value(7), Value("seven")});
  }

  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_ =
      plain_sqlite_driver({.file = folder_.path() / "plain.db", .busy_max = 1ms});
  std::unique_ptr<Connection> first_ = driver_->connect({});
  std::unique_ptr<Connection> second_ = driver_->connect({});
};

TEST_F(PlainSqlite, GivesBackWhatItWasGiven) {
  insert(*first_);
  first_->execute("insert into t values ($2, $1)",
                  std::array{Value(std::optional<std::string>()), Value(2.5)});
  const Result result = second_->execute("select number, name from t order by number desc", {});
  EXPECT_EQ(result[0].get<std::int64_t>("number"), 7);
  EXPECT_EQ(result[0].get<std::string>("name"), "seven");
  EXPECT_EQ(result[1].get<double>("number"), 2.5);
  EXPECT_TRUE(result[1].is_null(1));
}

TEST_F(PlainSqlite, RollbackTakesBackAndCommitKeeps) {
  first_->begin({});
  insert(*first_);
  first_->rollback();
  EXPECT_EQ(rows(), 0);
  first_->begin({});
  insert(*first_);
  first_->commit();
  EXPECT_EQ(rows(), 1);
}

TEST_F(PlainSqlite, SeveralConnectionsWriteInTurn) {
  insert(*first_);
  insert(*second_);
  EXPECT_EQ(rows(), 2);
  first_->begin({});
  try {
    insert(*second_);
    FAIL() << "two wrote at a time";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.code(), "sql.busy");
  }
}

TEST_F(PlainSqlite, ResetRollsBackWhatWasLeftOpen) {
  first_->begin({});
  insert(*first_);
  EXPECT_TRUE(first_->reset());
  EXPECT_FALSE(first_->in_transaction());
  EXPECT_EQ(rows(), 0);
}

}  // namespace
}  // namespace carrel::lab
