// Two MariaDB nodes of one Galera cluster: a conflict between nodes shows at COMMIT.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "carrel/drivers/mariadb.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

class Galera : public testing::Test {
 protected:
  static MariadbOptions node(const std::string& name) {
    return {.port = server_port(name + "_PORT"),
            .database = "carrel",
            .user = "carrel",
            .password = server_setting("PASSWORD"),
            .grace = std::chrono::seconds(10)};  // the machine may be busy
  }
  Galera() {
    const auto connection = one_->connect({});
    connection->execute("create table " + table_ + " (id int primary key, n int not null)");
    connection->execute("insert into " + table_ + " values (1, 0)");
  }
  ~Galera() override { one_->connect({})->execute("drop table " + table_); }

  // Both nodes show what either has committed before.
  static std::unique_ptr<Connection> caught_up(Driver& driver) {
    auto connection = driver.connect({});
    connection->execute("set session wsrep_sync_wait = 15");
    return connection;
  }
  void add(Session& session) { session.execute("update {item} set n = n + 1 where id = 1"); }

  const std::string table_ = own_name();
  const std::unique_ptr<Driver> one_ = mariadb_driver(node("GALERA_ONE"));
  const std::unique_ptr<Driver> two_ = mariadb_driver(node("GALERA_TWO"));
  Pool pool_{{.name = "two", .size_max = 2, .maintain_every = {}}, *two_};
  Session session_{
      {.routes = {{"two", &pool_, {{"item", table_}}}}, .pause = [](std::chrono::nanoseconds) {}}};
  const Scope scope_{{.name = "a test"}};
};

// The other node commits the same row while this transaction is open: the cluster has decided, and
// this one learns of it at its COMMIT.
TEST_F(Galera, AConflictWithAnotherNodeIsRolledBackAtCommitAndNotInDoubt) {
  static_cast<void>(caught_up(*two_)->execute("select n from " + table_));
  EXPECT_EQ(thrown_by([&] {
              session_.transaction([&] {
                add(session_);
                one_->connect({})->execute("update " + table_ + " set n = 10 where id = 1");
                // Here, too, it has arrived by then.
                static_cast<void>(caught_up(*two_)->execute("select n from " + table_));
              });
            }),
            "sql.deadlock, retryable");
  EXPECT_EQ(caught_up(*two_)->execute("select n from " + table_).one().get<int>(0), 10);
}

TEST_F(Galera, RetryRunsTheClosureAgainAndItSucceeds) {
  static_cast<void>(caught_up(*two_)->execute("select n from " + table_));
  int runs = 0;
  session_.transaction({.retry = Retry::conflicts(3)}, [&] {
    add(session_);
    if (++runs > 1) return;
    one_->connect({})->execute("update " + table_ + " set n = 10 where id = 1");
    static_cast<void>(caught_up(*two_)->execute("select n from " + table_));
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(caught_up(*one_)->execute("select n from " + table_).one().get<int>(0), 11);
}

}  // namespace
}  // namespace carrel::test
