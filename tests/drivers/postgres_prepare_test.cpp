// Statements that the server has forgotten, or that mean something else by now, and BEGIN, which is
// prepared as well.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include "carrel/db/sql_error.h"
#include "drivers/one_connection.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

using std::array;

class PostgresPrepare : public OneConnectionTest {
 protected:
  PostgresPrepare()
      : OneConnectionTest(open_postgres(),
                          "id bigint primary key, name text, amount bigint default 0") {}
};

TEST_F(PostgresPrepare, ABeginThatTheServerForgotIsMadeAgainForASavepointToo) {
  connection_->begin({});
  run("insert into item values (1)");
  connection_->commit();
  run("do $$ begin execute 'deallocate all'; end $$");
  connection_->begin({});
  connection_->savepoint(1);
  run("insert into item values (2)");
  connection_->rollback_to(1);
  run("insert into item values (3)");
  connection_->commit();
  EXPECT_EQ(count(), 2);
}

TEST_F(PostgresPrepare, ABeginThatWasSkippedIsPreparedWithTheNext) {
  for (const bool by_savepoint : {false, true}) {
    connection_ = open_postgres();
    const auto begin = [&](const Place& place) {
      connection_->set_place(place);
      connection_->begin({});
      return thrown_by([&] { by_savepoint ? connection_->savepoint(1) : void(run("select 1")); });
    };
    EXPECT_EQ(begin({.role = "nobody of this name"}), "sql.no_role");
    connection_->rollback();
    EXPECT_EQ(trips([&] { EXPECT_EQ(begin({}), "nothing"); }), 1U);
    connection_->rollback();
  }
}

// As a statement of PREPARE can make it do that takes the name.
TEST_F(PostgresPrepare, AFailureOfBeginItselfNamesIt) {
  connection_->begin({});
  run("select 1");
  const auto name =
      run("select name from pg_prepared_statements where statement like 'begin%'").one();
  run("do $$ begin execute 'deallocate all'; execute 'prepare " + name.get<std::string>(0) +
      " as select 1 / 0'; end $$");
  connection_->commit();
  connection_->begin({});
  try {
    run("select 2");
    FAIL() << "ran without BEGIN";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.statement_shape(), "begin read write");
  }
}

// Once: a function may ask for what was never prepared.
TEST_F(PostgresPrepare, AStatementThatAsksForItsPreparationAgainAndAgainFails) {
  const std::string sql = "do $$ begin execute 'execute never_prepared'; end $$";
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::seconds(10));
  EXPECT_EQ(trips([&] { EXPECT_EQ(failing(sql), "sql.serialization_failure, retryable"); }), 2U);
}

TEST_F(PostgresPrepare, ABatchIsPreparedAgainAsAWhole) {
  run("select * from item");
  const array items = {BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "select * from item", .parameters = {}}};
  for (const bool in_transaction : {false, true}) {
    open_postgres()->execute("alter table item add column extra int");
    if (in_transaction) connection_->begin({});
    const auto results = connection_->batch(items);
    EXPECT_EQ(results[1].columns().size(), 4U);
    if (in_transaction) connection_->commit();
    EXPECT_EQ(count(), 1);
    open_postgres()->execute("alter table item drop column extra");
    run("delete from item");
    run("select * from item");
  }
}

TEST_F(PostgresPrepare, NothingThatIsNotPreparedMindsAnAlteredTable) {
  auto options = postgres_options();
  options.statements_max = 0;
  connection_ = open_postgres(options);
  run("select * from item");
  connection_->begin({});
  EXPECT_EQ(run("select * from item").columns().size(), 3U);
  connection_->commit();
  open_postgres()->execute("alter table item add column extra int");
  EXPECT_EQ(trips([&] { EXPECT_EQ(run("select * from item").columns().size(), 4U); }), 1U);
}

}  // namespace
}  // namespace carrel::test
