// What travels along with BEGIN on MariaDB, and what must not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "drivers/mariadb_server.h"
#include "drivers/one_connection.h"

namespace carrel::test {
namespace {

using std::array;

class MariadbBegin : public OneConnectionTest {
 protected:
  MariadbBegin() : OneConnectionTest(open_mariadb(), "id bigint primary key, name varchar(40)") {}
};

// What one row holds, with the kind of each value.
std::vector<std::string> told(const Row& row) {
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto kind = std::to_string(static_cast<int>(row.kind(i))) + ":";
    switch (row.kind(i)) {
      case ValueKind::null:
        cells.push_back(kind);
        break;
      case ValueKind::integer:
        cells.push_back(kind + std::to_string(row.get<std::int64_t>(i)));
        break;
      case ValueKind::real:
        cells.push_back(kind + std::to_string(std::bit_cast<std::uint64_t>(row.get<double>(i))));
        break;
      case ValueKind::bytes:
        for (const auto byte : row.get<Bytes>(i))
          cells.push_back(kind + std::to_string(std::to_integer<int>(byte)));
        break;
      case ValueKind::timestamp:
        cells.push_back(kind + std::to_string(row.get<Timestamp>(i).time_since_epoch().count()));
        break;
      case ValueKind::uuid:
        cells.push_back(kind + row.get<Uuid>(i).to_string());
        break;
      case ValueKind::text:
        cells.push_back(kind + row.get<std::string>(i));
        break;
      case ValueKind::array:
        break;  // no column's
    }
  }
  return cells;
}

TEST_F(MariadbBegin, AStatementWithoutParametersTravelsAlong) {
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_EQ(run("insert into item (id) values (1), (2)").affected_rows(), 2);
              connection_->commit();
            }),
            2U);
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_EQ(run("select id, name from item order by id")[1].get<int>("id"), 2);
              connection_->commit();
            }),
            2U);
  EXPECT_EQ(count(), 2);
}

TEST_F(MariadbBegin, OneWithParametersWaitsForTheAnswer) {
  run("insert into item (id) values ($1)", array{Value(0)});  // prepared
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              run("insert into item (id) values ($1)", array{Value(1)});
              connection_->commit();
            }),
            3U);
}

TEST_F(MariadbBegin, ASavepointTravelsAlong) {
  EXPECT_EQ(trips([&] {
              connection_->begin({.isolation = Isolation::serializable});
              connection_->savepoint(1);
            }),
            1U);
  EXPECT_TRUE(connection_->in_transaction());
  run("insert into item (id) values (1)");
  connection_->rollback_to(1);
  connection_->commit();
  EXPECT_EQ(count(), 0);
}

TEST_F(MariadbBegin, TheWayToBeginTravelsAlongToo) {
  run("insert into item (id) values (1)");
  EXPECT_EQ(
      trips([&] {
        connection_->begin({.isolation = Isolation::serializable, .access = Access::read_only});
        EXPECT_EQ(run("select * from item").size(), 1U);
      }),
      1U);
  EXPECT_EQ(failing("insert into item (id) values (2)"), "sql.read_only");
  // Serializable: what was read is locked.
  auto other = open_mariadb();
  other->execute("set innodb_lock_wait_timeout = 0");
  EXPECT_EQ(thrown_by([&] { other->execute("update item set name = 'x' where id = 1"); }),
            "sql.lock_timeout, retryable");
  connection_->rollback();
}

TEST_F(MariadbBegin, MayWriteWhateverTheSessionsDefaultIs) {
  run("set session transaction read only");
  for (const auto isolation : {Isolation::standard, Isolation::serializable}) {
    connection_->begin({.isolation = isolation});
    EXPECT_EQ(failing("insert into item (id) values (1)"), "nothing");
    connection_->rollback();
  }
}

TEST_F(MariadbBegin, ItIsRolledBackWithTheRest) {
  connection_->begin({});
  run("insert into item (id) values (1)");
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(MariadbBegin, AnErrorOfTheStatementLeavesTheTransactionOpen) {
  run("insert into item (id) values (1)");
  connection_->begin({});
  EXPECT_EQ(failing("insert into item (id) values (1)"), "sql.unique_violation");
  EXPECT_TRUE(connection_->in_transaction());
  run("insert into item (id) values (2)");
  connection_->rollback();
  EXPECT_EQ(count(), 1);
}

// The table forgets nothing at ROLLBACK, and shows what ran without its BEGIN.
TEST_F(MariadbBegin, NothingRunsAfterABeginThatFailed) {
  run("create or replace table lasting (id int) engine = myisam");
  run("create or replace procedure within_another() xa start 'carrel'");
  run("call within_another()");
  connection_->begin({});
  const auto trips_before = connection_->round_trips();
  EXPECT_EQ(failing("insert into lasting values (1)"), "sql.other");
  EXPECT_EQ(connection_->round_trips() - trips_before, 1U);
  EXPECT_TRUE(open_mariadb()->execute("select * from lasting").empty());
}

TEST_F(MariadbBegin, SeveralStatementsInOneTextAreRefusedAsEver) {
  run("insert into item (id) values (1)");
  for (const std::string text : {"select 1; delete from item", "delete from item; delete from item",
                                 "select 1; commit", "select 1; ; select 2"}) {
    connection_->begin({});
    EXPECT_TRUE(failing(text).starts_with("sql.")) << text;
    connection_->commit();
    EXPECT_EQ(count(), 1) << text;
  }
  connection_->begin({});
  EXPECT_EQ(run("select ';' as semicolon").one().get<std::string>(0), ";");
  connection_->rollback();
}

TEST_F(MariadbBegin, WhatIsRefusedIsNotSent) {
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_EQ(failing("truncate item"), "sql.implicit_commit");
              EXPECT_EQ(failing("commit"), "sql.transaction_control");
              EXPECT_EQ(failing("select $1"), "sql.parameter_count");
              connection_->rollback();
            }),
            0U);
}

TEST_F(MariadbBegin, TheAnswerIsThatOfAPreparedStatement) {
  run("create temporary table kinds (i bigint, u bigint unsigned, t tinyint, z int(8) zerofill, "
      "y year, b bit(12), d double, e decimal(12, 3), s decimal(12, 0), v varchar(80), x blob, "
      "at datetime(6), ts timestamp(3), day date, span time, small time(3), id uuid, "
      "k enum('a', 'b'), j json, nothing int)");
  run("insert into kinds values (-9223372036854775808, 18446744073709551615, -7, 42, 2024, 2748, "
      "0.1, 12.500, 12, 'Gr\xc3\xbc\xc3\x9f \\\\', x'00ff5c', '2026-01-31 23:59:59.123456', "
      "'2026-01-31 12:00:00.5', '2026-02-28', '-12:34:56', '01:02:03.400', "
      "'0190163d-8694-739b-aea5-966c26f8ad90', 'b', '{\"a\": [1]}', null)");
  run("insert into kinds (i, u, d, at, day, span, small) values "
      "(1, 1, 1e300, '0001-01-01 00:00:00', '0001-01-01', '838:59:59', '00:00:00')");
  for (const std::string sql : {"select * from kinds",
                                "select sum(i > 0), avg(e), count(*), max(at), 1.5, 1e0 / 3, null, "
                                "cast(7 as unsigned), true, now() > 0, u + 0, i from kinds",
                                "select i as a, v as a from kinds where i > 0"}) {
    const auto prepared = run(sql);
    connection_->begin({});
    const auto text = run(sql);
    connection_->rollback();
    ASSERT_EQ(text.size(), prepared.size()) << sql;
    for (std::size_t i = 0; i < text.size(); ++i)
      EXPECT_EQ(told(text[i]), told(prepared[i])) << sql;
    EXPECT_TRUE(std::ranges::equal(text.columns(), prepared.columns())) << sql;
    EXPECT_EQ(text.affected_rows(), prepared.affected_rows()) << sql;
  }
}

// The text protocol writes six digits of a FLOAT, and as many of a DOUBLE(m, d) as d says.
TEST_F(MariadbBegin, DigitsThatTextWouldLoseAreAskedForOnceMore) {
  run("create temporary table number (f float, d double(20, 2))");
  run("insert into number values (0.12345678, 0.12)");
  for (const std::string sql :
       {"select f from number", "select d * 1.0e0 from number", "select sum(d) / 7 from number"}) {
    const auto prepared = told(run(sql)[0]);
    connection_->begin({});
    EXPECT_EQ(told(run(sql)[0]), prepared) << sql;
    connection_->commit();
  }
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              run("select f from number");  // known by now for what it is, and prepared
              connection_->commit();
            }),
            3U);
}

TEST_F(MariadbBegin, WhatChangesRowsAndReturnsSomeIsAskedOnce) {
  run("create or replace table number (id int auto_increment primary key, f float)");
  connection_->begin({});
  const auto row = run("insert into number (f) values (0.12345678) RETURNING f").one();
  EXPECT_EQ(row.get<double>(0), static_cast<double>(0.12345678F));
  connection_->commit();
  EXPECT_EQ(run("select * from number").size(), 1U);
}

TEST_F(MariadbBegin, ItTakesItsPlaceAmongTheKnownStatements) {
  const std::string sql = "select count(*) from item";
  connection_->begin({});
  EXPECT_EQ(trips([&] { run(sql); }), 1U);  // with BEGIN
  EXPECT_EQ(trips([&] { run(sql); }), 2U);  // prepared now
  EXPECT_EQ(trips([&] { run(sql); }), 1U);
  connection_->commit();
  connection_->begin({});
  EXPECT_EQ(trips([&] { run(sql); }), 1U);
  connection_->commit();
}

TEST_F(MariadbBegin, AProcedureIsNoPlainText) {
  run("create or replace procedure hidden() begin insert into item (id) values (2); commit; end");
  connection_->begin({});
  EXPECT_EQ(failing("call hidden()"), "sql.implicit_commit, in doubt");
  EXPECT_EQ(count(), 1);
}

TEST_F(MariadbBegin, TheDeadlineEndsTheStatementAndTheConnectionStays) {
  connection_->begin({});
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(40));
  EXPECT_EQ(failing("select sleep(60)"), "sql.deadline, retryable");
  EXPECT_FALSE(connection_->broken());
  EXPECT_TRUE(connection_->in_transaction());
  connection_->set_deadline(kNoDeadline);
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(MariadbBegin, AConflictOfTheStatementEndsTheTransaction) {
  run("insert into item (id) values (1)");
  const auto other = open_mariadb();
  other->begin({});
  other->execute("update item set name = 'x' where id = 1");
  run("set innodb_lock_wait_timeout = 0");
  connection_->begin({});
  EXPECT_EQ(failing("update item set name = 'y' where id = 1"), "sql.lock_timeout, retryable");
  EXPECT_EQ(failing("select 1"), "sql.rolled_back");
  connection_->rollback();
  EXPECT_FALSE(connection_->in_transaction());
}

}  // namespace
}  // namespace carrel::test
