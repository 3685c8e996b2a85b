// The leak matrix of MariaDB: nothing of what a borrower left in its session, and however it got
// there, is found by the next one.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "drivers/errors.h"
#include "drivers/leftovers.h"
#include "drivers/mariadb_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;

enum class Way { itself, comment, procedure, function, transaction };

std::string name_of(Way way) {
  constexpr array names = {"Itself", "InAComment", "InAProcedure", "InAFunction", "InATransaction"};
  return names.at(static_cast<std::size_t>(way));
}

void leave(Connection& connection, const std::string& sql, Way way) {
  switch (way) {
    case Way::itself:
      connection.execute(sql);
      break;
    case Way::comment:
      connection.execute("/*!" + sql + "*/");
      break;
    case Way::procedure:
      connection.execute("call hidden()");
      break;
    case Way::function:
      connection.execute("select hidden()");
      break;
    case Way::transaction:
      connection.begin({});
      connection.execute(sql);
      connection.commit();
      break;
  }
}

class MariadbLeftovers : public testing::TestWithParam<std::tuple<Leftover, Way>> {
 protected:
  MariadbLeftovers() {
    const auto maker = open_mariadb();
    maker->execute("create table if not exists shadowed (id int)");
    maker->execute("create or replace table handled select 1 as id");
    maker->execute("create or replace procedure execute_it() execute leftover");
    maker->execute("create role if not exists " + own_name() + "_left");
    maker->execute("drop procedure if exists hidden");
    maker->execute("drop function if exists hidden");
    if (way_ == Way::procedure) maker->execute("create procedure hidden() " + leftover_.sql);
    if (way_ == Way::function)
      maker->execute("create function hidden() returns int begin " + leftover_.sql +
                     "; return 1; end");
  }
  ~MariadbLeftovers() override { open_mariadb()->execute("drop role " + own_name() + "_left"); }

  // Also an error tells: what is prepared, or opened, by a name is listed nowhere.
  [[nodiscard]] bool is_there(Connection& connection) const {
    bool empty = true;
    const auto thrown = thrown_by([&] { empty = connection.execute(leftover_.trace).empty(); });
    return thrown == "nothing" && !empty;
  }

  const Leftover& leftover_ = std::get<0>(GetParam());
  const Way way_ = std::get<1>(GetParam());
};

TEST_P(MariadbLeftovers, AreNotFoundByTheNextBorrower) {
  auto witness = open_mariadb();
  leave(*witness, leftover_.sql, way_);
  ASSERT_TRUE(is_there(*witness)) << "it left no trace";
  witness.reset();

  // Nothing but the one statement may have made the connection dirty.
  OneConnection pool(mariadb_driver(mariadb_options()));
  auto lease = pool.borrow();
  leave(*lease, leftover_.sql, way_);
  const auto trips = lease->round_trips();
  lease.release();
  lease = pool.borrow();
  EXPECT_EQ(pool.opened(), 1U);
  // A lock that the text names is all that there is to give back.
  const bool hidden = way_ != Way::itself && way_ != Way::transaction;
  EXPECT_EQ(lease->round_trips(), trips + (leftover_.name == "NamedLock" && !hidden ? 1 : 2));
  EXPECT_FALSE(is_there(*lease));
}

std::string name_of_row(const testing::TestParamInfo<std::tuple<Leftover, Way>>& row) {
  return std::get<0>(row.param).name + name_of(std::get<1>(row.param));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, MariadbLeftovers,
    testing::Combine(
        testing::Values(
            Leftover{"Setting", "set session sort_buffer_size = 1048576",
                     "select 1 from dual where @@sort_buffer_size = 1048576"},
            Leftover{"TimeZone", "set time_zone = '+08:00'",
                     "select 1 from dual where @@time_zone = '+08:00'"},
            Leftover{"Isolation", "set session transaction isolation level serializable",
                     "select 1 from dual where @@tx_isolation = 'SERIALIZABLE'"},
            Leftover{"Clock", "set timestamp = 1", "select 1 from dual where @@timestamp = 1"},
            Leftover{"UserVariable", "set @leftover = 1",
                     "select 1 from dual where @leftover is not null"},
            Leftover{"Role", "set role " + own_name() + "_left",
                     "select 1 from information_schema.enabled_roles where role_name = '" +
                         own_name() + "_left'"},
            Leftover{"TemporaryTable", "create temporary table shadowed select 1 as id",
                     "select 1 from shadowed"},
            Leftover{"NamedLock", "do get_lock(concat(database(), 'left'), 0)",
                     "select 1 from dual where is_used_lock(concat(database(), 'left')) = "
                     "connection_id()"}),
        testing::Values(Way::itself, Way::comment, Way::procedure, Way::function,
                        Way::transaction)),
    name_of_row);

// What no stored function may do; and PREPARE, which does not go through the protocol for prepared
// statements.
INSTANTIATE_TEST_SUITE_P(
    Procedures, MariadbLeftovers,
    testing::Combine(testing::Values(Leftover{"PreparedStatement",
                                              "prepare leftover from 'select 1'",
                                              "call execute_it()"},
                                     Leftover{"NoAutocommit", "set session autocommit = 0",
                                              "select 1 from dual where @@autocommit = 0"}),
                     testing::Values(Way::procedure)),
    name_of_row);

// What no stored program may do, or what is a query.
INSTANTIATE_TEST_SUITE_P(
    Plain, MariadbLeftovers,
    testing::Combine(
        testing::Values(
            Leftover{"SqlMode", "set sql_mode = ''", "select 1 from dual where @@sql_mode = ''"},
            Leftover{"Encoding", "set names latin1",
                     "select 1 from dual where @@character_set_client = 'latin1'"},
            Leftover{"NoForeignKeys", "set foreign_key_checks = 0",
                     "select 1 from dual where @@foreign_key_checks = 0"},
            Leftover{"CurrentDatabase", "use carrel",
                     "select 1 from dual where database() = 'carrel'"},
            Leftover{"Handler", "handler handled open as leftover", "handler leftover read first"},
            Leftover{"UserVariableOfAQuery", "select @leftover := 1",
                     "select 1 from dual where @leftover is not null"},
            Leftover{"UserVariableOfAResult", "select 1 into @leftover",
                     "select 1 from dual where @leftover is not null"}),
        testing::Values(Way::itself, Way::comment)),
    name_of_row);

// Also what a procedure has begun, of which the driver has not been told.
TEST(MariadbOpenTransaction, IsRolledBackBeforeTheNextBorrower) {
  const auto other = open_mariadb();
  other->execute("create or replace table kept (id int)");
  other->execute(
      "create or replace procedure begin_it() "
      "begin start transaction; insert into kept values (1); end");
  other->execute(
      "create or replace procedure begin_xa() "
      "begin xa start 'leftover'; insert into kept values (1); end");
  OneConnection pool(mariadb_driver(mariadb_options()));
  const auto nothing_kept = [&](const char* borrower) {
    auto lease = pool.borrow();
    EXPECT_FALSE(lease->in_transaction()) << borrower;
    EXPECT_EQ(lease->execute("select count(*) from kept").one().get<int>(0), 0) << borrower;
    lease->execute("insert into kept values (2)");
    EXPECT_EQ(other->execute("select count(*) from kept").one().get<int>(0), 1) << borrower;
    other->execute("delete from kept");
  };
  for (const auto* sql : {"insert into kept values (1)", "set @leftover = 1", "call begin_xa()"}) {
    auto lease = pool.borrow();
    lease->begin({});
    lease->execute("insert into kept values (1)");
    lease->savepoint(1);
    static_cast<void>(thrown_by([&] { lease->execute(sql); }));
    lease.release();
    nothing_kept(sql);
  }
  for (const auto* sql : {"call begin_it()", "call begin_xa()", "/*!start transaction*/"}) {
    auto lease = pool.borrow();
    lease->execute(sql);
    lease.release();
    nothing_kept(sql);
  }
  EXPECT_EQ(pool.opened(), 1U);
}

}  // namespace
}  // namespace carrel::test
