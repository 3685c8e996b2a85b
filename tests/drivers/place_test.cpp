// Connection::set_place on the real servers: statements run in the role and schema that was asked
// for, whatever came before, and nothing is sent that the session knows already.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/tenants.h"

namespace carrel::test {
namespace {

using std::array;
using Names = std::vector<std::string>;

TEST_P(Placed, StatementsRunInTheRoleAndTheSchema) {
  for (int i = 0; i < 3; ++i) {
    in(a_);
    expect_in(a_);
    write(*connection_, "a" + std::to_string(i));
    in(b_);
    write(*connection_, "b" + std::to_string(i));
    expect_in(b_);
    in({});
    expect_home();
  }
  EXPECT_EQ(rows_of(a_), (Names{"a0", "a1", "a2"}));
  EXPECT_EQ(rows_of(b_), (Names{"b0", "b1", "b2"}));
}

TEST_P(Placed, OneOfTheTwoAloneLeavesTheOtherAsItWas) {
  in({.role = a_.role});
  expect_in({.role = a_.role, .schema = is_postgres() ? "" : home_.schema});
  in({.schema = b_.schema});  // which on MariaDB only the role may enter
  const auto thrown = failing([&] { EXPECT_EQ(role(*connection_), home_role_); });
  EXPECT_EQ(thrown, is_postgres() ? "nothing" : "sql.access_denied");
}

TEST_P(Placed, ThePlaceTravelsAlong) {
  const auto transaction = [&](const Place& place) {
    in(place);
    connection_->begin({});
    run("select name from item");
    connection_->commit();
  };
  transaction(a_);
  transaction(b_);
  EXPECT_EQ(trips([&] { transaction(a_); }), 2U);
  EXPECT_EQ(trips([&] { transaction(a_); }), 2U);
  EXPECT_EQ(trips([&] { transaction(b_); }), 2U);

  const auto bound = [&](const Place& place, const char* name) {
    in(place);
    write(*connection_, name);
  };
  bound(a_, "first");
  bound(b_, "first");
  EXPECT_EQ(trips([&] { bound(b_, "second"); }), 1U);
  EXPECT_EQ(trips([&] { bound(a_, "second"); }), GetParam().trips_when_bound);
  EXPECT_EQ(trips([&] { bound(a_, "third"); }), 1U);
}

TEST_P(Placed, NothingIsSentWhereTheSessionIsThereAlready) {
  FaultGate gate(server_port(GetParam().port_name));
  const auto through = driver(gate.port());
  connection_ = through->connect({});
  const auto asked_by = [&](const Place& place) {
    gate.set({});
    in(place);
    connection_->begin({});
    run("select count(*) from item");
    connection_->commit();
    return gate.asked();
  };
  asked_by(b_);
  asked_by(a_);
  const auto least = asked_by(a_);
  EXPECT_EQ(asked_by(a_), least);
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(asked_by(a_), least);
  EXPECT_GT(asked_by(b_), least);
}

// SET in a transaction is undone with it on PostgreSQL.
TEST_P(Placed, ARollbackDoesNotMakeItForgetWhereItIs) {
  for (const bool fails : {false, true}) {
    in(b_);
    expect_in(b_);
    in(a_);
    connection_->begin({});
    write(*connection_, "lost");
    if (fails) {
      EXPECT_EQ(failing([&] { write(*connection_, "lost"); }), "sql.unique_violation");
    }
    connection_->rollback();
    connection_->begin({});
    expect_in(a_);
    connection_->rollback();
    expect_in(a_);
    in(a_);
    expect_in(a_);
  }
  EXPECT_EQ(rows_of(a_), Names());
}

TEST_P(Placed, AStatementThatFailsLeavesItThere) {
  in(a_);
  write(*connection_, "one");
  in(b_);
  write(*connection_, "one");
  in(a_);
  EXPECT_EQ(failing([&] { write(*connection_, "one"); }), "sql.unique_violation");
  expect_in(a_);
  in(b_);
  EXPECT_EQ(failing([&] { run("select nothing from item"); }), "sql.no_column");
  write(*connection_, "two");
  EXPECT_EQ(rows_of(b_), (Names{"one", "two"}));
}

// The place had travelled along with it.
TEST_P(Placed, AFirstStatementThatFailsLeavesItInItsPlace) {
  for (const bool begins : {true, false}) {
    const auto first = [&](std::string_view sql) {
      in(b_);
      expect_in(b_);
      in(a_);
      if (begins) connection_->begin({});
      const auto thrown = failing([&] { run(sql); });
      connection_->rollback();
      EXPECT_FALSE(connection_->in_transaction());
      return thrown;
    };
    EXPECT_EQ(first("select nothing from item"), "sql.no_column");
    expect_in(a_);
    EXPECT_EQ(first("select * from nowhere"), "sql.no_table");
    connection_->begin({});
    write(*connection_, begins ? "begun" : "alone");
    connection_->commit();
    connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(40));
    EXPECT_EQ(first(is_postgres() ? "select pg_sleep(3600)" : "select sleep(3600)"),
              "sql.deadline, retryable");
    connection_->set_deadline(kNoDeadline);
    expect_in(a_);
  }
  EXPECT_EQ(rows_of(a_), (Names{"alone", "begun"}));
}

// The place came along with the savepoint, or with BEGIN before it.
TEST_P(Placed, ARollbackToASavepointLeavesItThere) {
  for (const bool commits : {true, false}) {
    for (const bool starts_with_it : {true, false}) {
      in(b_);
      expect_in(b_);
      in(a_);
      connection_->begin({});
      if (!starts_with_it) names_in(*connection_);
      connection_->savepoint(1);
      write(*connection_, "lost");
      EXPECT_EQ(failing([&] { write(*connection_, "lost"); }), "sql.unique_violation");
      connection_->rollback_to(1);
      expect_in(a_);
      commits ? connection_->commit() : connection_->rollback();
      connection_->begin({});
      expect_in(a_);
      connection_->commit();
      EXPECT_TRUE(connection_->reset());
      expect_home();
    }
  }
  EXPECT_EQ(rows_of(a_), Names());
}

// The server refuses a statement that was prepared for a table which has changed since.
TEST_P(Placed, AStatementThatIsPreparedAnewRunsThereToo) {
  const auto all = [&] { return run("select * from item").columns().size(); };
  for (const bool begins : {false, true}) {
    in(a_);
    const auto columns = all();
    EXPECT_EQ(all(), columns);
    in(b_);
    expect_in(b_);
    admin("alter table " + quoted(a_.schema) + ".item add column extra" + std::to_string(columns) +
          " int");
    in(a_);
    if (begins) connection_->begin({});
    EXPECT_EQ(all(), columns + 1);
    expect_in(a_);
    if (begins) connection_->commit();
    expect_in(a_);
  }
}

class PlacedOnPostgres : public Placed {};

// Of a constraint that waits for it, as MariaDB has none.
TEST_P(PlacedOnPostgres, ACommitThatFailedTakesItBack) {
  admin("create table " + quoted(a_.schema) + ".late (n int unique deferrable initially deferred)");
  admin("grant all on " + quoted(a_.schema) + ".late to " + quoted(a_.role));
  const array twice = {BatchItem{.statement = "insert into late values (1)", .parameters = {}},
                       BatchItem{.statement = "insert into late values (1)", .parameters = {}}};
  in(a_);
  connection_->begin({});
  EXPECT_EQ(failing([&] { connection_->batch_and_commit(twice); }), "sql.unique_violation");
  expect_in(a_);
  EXPECT_TRUE(connection_->reset());
  in(b_);
  expect_in(b_);
  in(a_);
  connection_->begin({});
  connection_->batch(twice);
  EXPECT_EQ(failing([&] { connection_->commit(); }), "sql.unique_violation");
  expect_in(a_);
}

TEST_P(PlacedOnPostgres, ACommitThatRolledBackTakesItBack) {
  in(a_);
  connection_->begin({});
  EXPECT_EQ(failing([&] {
              connection_->execute("select 1");
              connection_->execute("select 1 / 0");
            }),
            "sql.other");
  EXPECT_EQ(failing([&] { connection_->commit(); }), "sql.rolled_back");
  expect_in(a_);
}

TEST_P(Placed, TheNextBorrowerFindsTheSessionAsItStarted) {
  in(a_);
  write(*connection_, "a");
  EXPECT_TRUE(connection_->reset());
  expect_home();
  EXPECT_NE(failing([&] { run("select * from item"); }), "nothing");
  in(b_);
  connection_->begin({});
  write(*connection_, "b");
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(rows_of(b_), Names());
  expect_home();
  in(b_);
  expect_in(b_);
}

TEST_P(Placed, WhatAStatementChangedByHandIsSetAnew) {
  const std::string by_hand =
      is_postgres() ? "set search_path to " + quoted(b_.schema) : "use " + quoted(b_.schema);
  in(a_);
  run("set role " + quoted(b_.role));
  run(by_hand);
  EXPECT_EQ(schema(*connection_), b_.schema);
  in(a_);
  expect_in(a_);
  run("set role " + quoted(b_.role));
  EXPECT_TRUE(connection_->reset());
  expect_home();
  in(a_);
  expect_in(a_);
}

TEST_P(Placed, SavepointsAndLoadsGoThereToo) {
  in(b_);
  expect_in(b_);
  constexpr array<std::string_view, 1> columns = {"name"};
  const auto load = [&](const char* name) {
    connection_->load({.table = "item", .columns = columns, .values = array{Value(name)}});
  };
  in(a_);
  load("loaded");
  in(b_);
  connection_->begin({});
  load("lost");
  connection_->rollback();
  expect_in(b_);
  in(a_);
  connection_->begin({.isolation = Isolation::serializable});
  connection_->savepoint(1);
  write(*connection_, "kept");
  connection_->rollback_to(1);
  load("begun");
  connection_->commit();
  in(b_);
  connection_->begin({});
  load("b");
  connection_->commit();
  EXPECT_EQ(rows_of(a_), (Names{"begun", "loaded"}));
  EXPECT_EQ(rows_of(b_), Names{"b"});
}

TEST_P(Placed, WhatRunsByItselfOnlyRunsThereToo) {
  in(a_);
  run("create table own (n int)");
  in(b_);
  expect_in(b_);
  in(a_);
  run(is_postgres() ? "vacuum own" : "analyze table own");
  EXPECT_EQ(first_column(admin("select table_schema from information_schema.tables "
                               "where table_name = 'own' and table_schema in ('" +
                               a_.schema + "', '" + own_name() + "')")),
            Names{a_.schema});
}

TEST_P(Placed, OneTextMeansTheTablesOfItsPlace) {
  const auto table = [](const Place& place) { return quoted(place.schema) + ".kind"; };
  admin("create table " + table(a_) + " (v bigint, w int)");
  admin("create table " + table(b_) + " (w int, v varchar(20))");
  admin("insert into " + table(a_) + " (v) values (7)");
  admin("insert into " + table(b_) + " (v) values ('seven')");
  for (const auto& place : {a_, b_})
    admin("grant select on " + table(place) + " to " + quoted(place.role));
  const auto find = [&](const Value& value) {
    connection_->begin({});
    run("select 1");
    const auto row = connection_->execute("select * from kind where v = $1", array{value}).one();
    connection_->commit();
    return row.get<std::string>("v");
  };
  for (int i = 0; i < 3; ++i) {
    in(a_);
    EXPECT_EQ(connection_->execute("select v from kind").one().get<int>(0), 7);
    in(b_);
    EXPECT_EQ(find(Value("seven")), "seven");
    EXPECT_EQ(connection_->execute("select v from kind").one().get<std::string>(0), "seven");
  }
}

TEST_P(Placed, AKnownStatementIsRunWithTheRightsOfTheRole) {
  in(a_);
  write(*connection_, "known");
  EXPECT_EQ(names_in(*connection_), Names{"known"});
  const Place elsewhere{.role = b_.role, .schema = a_.schema};
  if (is_postgres()) admin("grant usage on schema " + quoted(a_.schema) + " to " + quoted(b_.role));
  if (!is_postgres()) admin("grant show view on " + quoted(a_.schema) + ".* to " + quoted(b_.role));
  for (int i = 0; i < 2; ++i) {
    in(elsewhere);
    EXPECT_EQ(failing([&] { names_in(*connection_); }), "sql.access_denied");
    EXPECT_EQ(failing([&] { write(*connection_, "other"); }), "sql.access_denied");
    in(a_);
    EXPECT_EQ(names_in(*connection_), Names{"known"});
  }
}

// Behind a pooler in transaction mode each transaction may find another session.
TEST_P(Placed, WithoutKeptStatementsNothingOfItOutlivesTheTransaction) {
  connection_ = driver(server_port(GetParam().port_name), 0)->connect({});
  in(b_);
  write(*connection_, "alone");
  in(a_);
  write(*connection_, "alone");
  connection_->begin({.isolation = Isolation::serializable});
  write(*connection_, "begun");
  expect_in(a_);
  connection_->commit();
  connection_->begin({});
  constexpr array<std::string_view, 1> columns = {"name"};
  connection_->load({.table = "item", .columns = columns, .values = array{Value("loaded")}});
  expect_in(a_);
  connection_->commit();
  connection_->begin({});
  write(*connection_, "lost");
  connection_->rollback();
  expect_in(a_);
  EXPECT_EQ(rows_of(a_), (Names{"alone", "begun", "loaded"}));
  EXPECT_EQ(rows_of(b_), Names{"alone"});
  if (is_postgres()) {
    EXPECT_EQ(failing([&] { run("vacuum item"); }), "sql.unsupported");
  }
}

INSTANTIATE_TEST_SUITE_P(Servers, Placed, testing::ValuesIn(tenant_servers()),
                         [](const auto& server) { return server.param.name; });

INSTANTIATE_TEST_SUITE_P(Server, PlacedOnPostgres, testing::Values(tenant_servers().front()),
                         [](const auto& server) { return server.param.name; });

}  // namespace
}  // namespace carrel::test
