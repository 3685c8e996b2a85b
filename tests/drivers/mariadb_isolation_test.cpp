// What BEGIN's isolation becomes on a real MariaDB: by name, and by what it does.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "drivers/errors.h"
#include "drivers/mariadb_server.h"

namespace carrel::test {
namespace {

using std::string;

// A connection with one row that another one changes.
class MariadbIsolation : public testing::Test {
 protected:
  MariadbIsolation() : connection_(open_mariadb()), other_(open_mariadb()) {
    other_->execute("drop table if exists counter");
    other_->execute("create table counter (id bigint primary key, value bigint)");
    other_->execute("insert into counter values (1, 0)");
  }
  static std::int64_t value(Connection& connection) {
    return connection.execute("select sum(value) from counter").one().get<std::int64_t>(0);
  }
  // Of the transaction that a connection is in, as the engine has it: the server's variable tells
  // of the session only.
  string level_of(std::int64_t connection) {
    const std::array parameters{Value(connection)};
    // What the engine tells is a copy, which it renews only when nobody has asked for 0.1 s.
    for (;;) {
      const auto found = other_->execute(
          "select trx_isolation_level from information_schema.innodb_trx "
          "where trx_mysql_thread_id = $1",
          parameters);
      if (!found.empty()) return found.one().get<string>(0);
      other_->execute("select sleep(0.11)");
    }
  }

  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> other_;
};

TEST_F(MariadbIsolation, IsWhatBeginSays) {
  struct Case {
    Isolation isolation;
    const char* name;
  };
  for (const auto& [isolation, name] : {Case{Isolation::standard, "REPEATABLE READ"},
                                        Case{Isolation::read_committed, "READ COMMITTED"},
                                        Case{Isolation::repeatable_read, "REPEATABLE READ"},
                                        Case{Isolation::serializable, "SERIALIZABLE"}}) {
    for (const auto access : {Access::read_write, Access::read_only}) {
      const auto connection = open_mariadb();
      const auto id = id_of(*connection);
      connection->begin({.isolation = isolation, .access = access});
      value(*connection);
      EXPECT_EQ(level_of(id), name);
      connection->commit();
    }
  }
}

TEST_F(MariadbIsolation, IsThatOfOneTransactionOnly) {
  connection_->begin({.isolation = Isolation::read_committed});
  value(*connection_);
  connection_->commit();
  connection_->begin({});
  EXPECT_EQ(value(*connection_), 0);
  other_->execute("update counter set value = 1");
  EXPECT_EQ(value(*connection_), 0);
  connection_->commit();
}

TEST_F(MariadbIsolation, ReadCommittedSeesWhatIsCommittedMeanwhile) {
  connection_->begin({.isolation = Isolation::read_committed});
  EXPECT_EQ(value(*connection_), 0);
  other_->execute("update counter set value = 1");
  EXPECT_EQ(value(*connection_), 1);
  other_->execute("insert into counter values (2, 10)");
  EXPECT_EQ(value(*connection_), 11);
  connection_->commit();
}

TEST_F(MariadbIsolation, RepeatableReadSeesWhatItSawFirst) {
  connection_->begin({.isolation = Isolation::repeatable_read});
  EXPECT_EQ(value(*connection_), 0);
  other_->execute("update counter set value = 1");
  other_->execute("insert into counter values (2, 10)");
  EXPECT_EQ(value(*connection_), 0);
  connection_->commit();
  EXPECT_EQ(value(*connection_), 11);
}

TEST_F(MariadbIsolation, SerializableLocksWhatItReads) {
  const auto take = [&] {
    return thrown_by(
        [&] { other_->execute("select value from counter where id = 1 for update nowait"); });
  };
  connection_->begin({.isolation = Isolation::repeatable_read});
  value(*connection_);
  EXPECT_EQ(take(), "nothing");
  connection_->commit();
  connection_->begin({.isolation = Isolation::serializable});
  value(*connection_);
  EXPECT_EQ(take(), "sql.lock_timeout, retryable");
  connection_->commit();
}

}  // namespace
}  // namespace carrel::test
