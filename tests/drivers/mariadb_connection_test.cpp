#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "drivers/far_off_times.h"
#include "drivers/mariadb_server.h"
#include "drivers/one_connection.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;

class Mariadb : public OneConnectionTest {
 protected:
  Mariadb()
      : OneConnectionTest(open_mariadb(),
                          "id bigint primary key, name varchar(40), amount bigint default 0") {}
};

TEST_F(Mariadb, EveryKindOfValueComesBackAsItWent) {
  const auto uuid = *Uuid::parse("0190163d-8694-739b-aea5-966c26f8ad90");
  const Timestamp at(std::chrono::microseconds(1'769'903'999'123'456));
  const std::array bytes = {std::byte{0}, std::byte{0xff}, std::byte{'\\'}};
  run("create temporary table kinds (i bigint, r double, t varchar(80), b blob, at datetime(6), "
      "u uuid, u16 binary(16), n int)");
  run("insert into kinds values ($1, $2, $3, $4, $5, $6, $6, $7)",
      array{Value(INT64_MIN), Value(0.1), Value("Gr\xc3\xbc\xc3\x9f 'e' \\"),
            Value(std::span<const std::byte>(bytes)), Value(at), Value(uuid), Value(nullptr)});
  const auto row = run("select * from kinds where u = $1", array{Value(uuid)}).one();
  EXPECT_EQ(row.get<std::int64_t>("i"), INT64_MIN);
  EXPECT_EQ(row.get<double>("r"), 0.1);
  EXPECT_EQ(row.get<std::string>("t"), "Gr\xc3\xbc\xc3\x9f 'e' \\");
  EXPECT_EQ(row.get<Bytes>("b"), Bytes(bytes.begin(), bytes.end()));
  EXPECT_EQ(row.get<Timestamp>("at"), at);
  EXPECT_EQ(row.get<Uuid>("u"), uuid);
  EXPECT_EQ(row.get<Uuid>("u16"), uuid);
  EXPECT_TRUE(row.is_null(7));
}

TEST_F(Mariadb, ParametersComeBackWithTheirKinds) {
  const Timestamp at(std::chrono::microseconds(1'769'903'999'123'456));
  const auto result =
      run("select $1, $2, $3, $4", array{Value(7), Value(7.5), Value("seven"), Value(at)});
  EXPECT_EQ(result[0].get<int>(0), 7);
  EXPECT_EQ(result[0].get<double>(1), 7.5);
  EXPECT_EQ(result[0].get<std::string>(2), "seven");
  EXPECT_EQ(result[0].get<Timestamp>(3), at);
}

TEST_F(Mariadb, APlaceholderMayBeUsedTwiceAndInAnyOrder) {
  EXPECT_EQ(run("select concat($2, $1, $2, '$1', \"$2\") -- $9\n", array{Value("b"), Value("a")})
                .one()
                .get<std::string>(0),
            "aba$1$2");
}

TEST_F(Mariadb, LongTextsAreWhole) {
  const std::string text(100'000, 'x');
  EXPECT_EQ(run("select $1, ''", array{Value(text)}).one().get<std::string>(0), text);
}

TEST_F(Mariadb, SumsOfIntegersAreIntegersAndFractionsText) {
  run("insert into item values (1, 'a', 5), (2, 'b', 6)");
  const auto row = run("select sum(amount), cast(12.5 as decimal(8, 2)) from item").one();
  EXPECT_EQ(row.get<std::int64_t>(0), 11);
  EXPECT_EQ(row.get<std::string>(1), "12.50");
}

TEST_F(Mariadb, AffectedRowsAreTheRowsFound) {
  EXPECT_EQ(run("insert into item (id) values (1), (2), (3)").affected_rows(), 3);
  EXPECT_EQ(run("update item set amount = 0 where id > $1", array{Value(1)}).affected_rows(), 2);
  EXPECT_EQ(run("select * from item").affected_rows(), 0);
  EXPECT_EQ(run("delete from item returning id").affected_rows(), 3);
}

TEST_F(Mariadb, RefusalsHaveTheirCodes) {
  run("create temporary table strict (n tinyint check (n > 0), t varchar(3))");
  run("insert into item (id) values (1)");
  EXPECT_EQ(failing("insert into strict values (0, '')"), "sql.check_violation");
  EXPECT_EQ(failing("insert into strict values (300, '')"), "sql.value_out_of_range");
  EXPECT_EQ(failing("insert into strict values (1, 'long')"), "sql.too_big");
  EXPECT_EQ(failing("insert into strict values ('a', '')"), "sql.type_mismatch");
  EXPECT_EQ(failing("insert into item (id) values (1)"), "sql.unique_violation");
  EXPECT_EQ(failing("insert into item (id) values (null)"), "sql.not_null_violation");
  EXPECT_EQ(failing("selec 1"), "sql.syntax");
  EXPECT_EQ(failing("select * from nothing"), "sql.no_table");
  EXPECT_EQ(failing("select nothing from item"), "sql.no_column");
  EXPECT_EQ(failing("start transaction"), "sql.transaction_control");
  EXPECT_EQ(failing("select $1"), "sql.parameter_count");
  EXPECT_EQ(failing("select 1; select 2"), "sql.syntax");
}

TEST_F(Mariadb, MessagesCarryNoValues) {
  run("create temporary table named (name varchar(40) unique)");
  const array tiger = {Value("ti'ger' for it")};
  run("insert into named values ($1)", tiger);
  const auto message = message_of([&] { run("insert into named values ($1)", tiger); });
  EXPECT_NE(message.find("Duplicate entry ?"), std::string::npos) << message;
  EXPECT_EQ(message.find("ti'"), std::string::npos) << message;

  run("create table parted (id int, at datetime) partition by list (id) (partition p values in "
      "(1))");
  for (const auto* sql :
       {"insert into parted (id) values (77441)",
        "insert into parted values (1, str_to_date('77441', '%Y-%m-%d'))", "select date '77441'",
        "set time_zone = '77441'", "set sql_mode = 'traditional,77441'"}) {
    const auto words = message_of([&] { run(sql); });
    EXPECT_NE(words, "") << sql;
    EXPECT_EQ(words.find("77441"), std::string::npos) << words;
  }
}

TEST_F(Mariadb, ATimeThatIsTooFarOffIsRefusedAndNotAnotherOne) {
  run("create temporary table dated (at datetime(6))");
  constexpr std::array<std::string_view, 1> columns = {"at"};
  for (const auto at : far_off_times()) {
    const array values = {Value(at)};
    const auto load = [&] {
      connection_->load({.table = "dated", .columns = columns, .values = values});
    };
    EXPECT_EQ(thrown_by(load), "sql.value_out_of_range");
    EXPECT_EQ(thrown_by([&] { run("insert into dated values ($1)", values); }),
              "sql.value_out_of_range");
  }
  EXPECT_EQ(run("select count(*) from dated").one().get<int>(0), 0);
  const array last = {Value(far_off_times().front() - std::chrono::microseconds(1))};
  run("insert into dated values ($1)", last);
  connection_->load({.table = "dated", .columns = columns, .values = last});
  EXPECT_EQ(run("select at from dated")[0].get<Timestamp>(0), last[0].timestamp());
  EXPECT_EQ(run("select at from dated")[1].get<Timestamp>(0), last[0].timestamp());
}

TEST_F(Mariadb, BeginWaitsForTheFirstStatement) {
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_TRUE(connection_->in_transaction());
              run("insert into item (id) values (0)");
              connection_->commit();
            }),
            2U);
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              connection_->commit();
            }),
            0U);
  EXPECT_EQ(count(), 1);
}

TEST_F(Mariadb, AStatementTakesItsOwnAnswerNotBegins) {
  connection_->begin({.isolation = Isolation::serializable});
  EXPECT_EQ(run("insert into item (id) values (1), (2)").affected_rows(), 2);
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(Mariadb, BeginOptionsHold) {
  connection_->begin({.access = Access::read_only});
  EXPECT_EQ(failing("insert into item (id) values (1)"), "sql.read_only");
  connection_->rollback();
}

TEST_F(Mariadb, DdlInsideATransactionIsRefused) {
  connection_->begin({});
  run("insert into item (id) values (1)");
  EXPECT_EQ(failing("create table other (id int)"), "sql.implicit_commit");
  EXPECT_EQ(failing("truncate item"), "sql.implicit_commit");
  EXPECT_EQ(failing("create temporary table fine (id int)"), "nothing");
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(Mariadb, AProcedureThatCommitsIsNoticed) {
  run("create or replace procedure hidden() begin insert into item (id) values (2); commit; end");
  connection_->begin({});
  run("insert into item (id) values (1)");
  EXPECT_EQ(failing("call hidden()"), "sql.implicit_commit, in doubt");
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 2);
}

TEST_F(Mariadb, TheFirstAnswerOfAProcedureIsGiven) {
  run("create or replace procedure twice() begin select 1; select 2; end");
  EXPECT_EQ(run("call twice()").one().get<int>(0), 1);
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(Mariadb, ALockTimeoutRollsTheWholeTransactionBack) {
  run("insert into item (id) values (1)");
  const auto other = open_mariadb();
  other->begin({});
  other->execute("update item set amount = 1 where id = 1");
  run("set innodb_lock_wait_timeout = 0");
  connection_->begin({});
  run("insert into item (id) values (2)");
  EXPECT_EQ(failing("update item set amount = 2 where id = 1"), "sql.lock_timeout, retryable");
  EXPECT_TRUE(connection_->in_transaction());
  EXPECT_EQ(failing("insert into item (id) values (3)"), "sql.rolled_back");
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.rolled_back");
  EXPECT_FALSE(connection_->in_transaction());
  other->rollback();
  EXPECT_EQ(count(), 1);
}

TEST_F(Mariadb, AWriteOnWhatChangedSinceIsAConflict) {
  run("insert into item (id) values (1)");
  connection_->begin({});
  run("select * from item");
  open_mariadb()->execute("update item set amount = 1 where id = 1");
  EXPECT_EQ(failing("update item set amount = 2 where id = 1"),
            "sql.serialization_failure, retryable");
  connection_->rollback();
}

TEST_F(Mariadb, SavepointsComeBack) {
  connection_->begin({});
  run("insert into item (id) values (1)");
  connection_->savepoint(1);
  run("insert into item (id) values (2)");
  connection_->rollback_to(1);
  connection_->savepoint(1);
  run("insert into item (id) values (3)");
  connection_->release(1);
  connection_->commit();
  EXPECT_EQ(count(), 2);
}

TEST_F(Mariadb, OneTextIsPreparedOnce) {
  run("insert into item (id) values ($1)", array{Value(1)});
  EXPECT_EQ(trips([&] { run("insert into item (id) values ($1)", array{Value(2)}); }), 1U);
}

TEST_F(Mariadb, NothingIsKeptWhenSwitchedOff) {
  auto options = mariadb_options();
  options.statements_max = 0;
  connection_ = open_mariadb(options);
  EXPECT_EQ(trips([&] { run("insert into item (id) values ($1)", array{Value(1)}); }), 2U);
  EXPECT_EQ(trips([&] { run("insert into item (id) values ($1)", array{Value(2)}); }), 2U);
}

TEST_F(Mariadb, FewStatementsStayPrepared) {
  auto options = mariadb_options();
  options.statements_max = 4;
  connection_ = open_mariadb(options);
  for (int i = 0; i < 40; ++i) run("select " + std::to_string(i));
  const auto prepared = run("show session status like 'Com_stmt_%'");
  std::int64_t open = 0;
  for (const Row row : prepared) {
    const auto name = row.get<std::string>(0);
    const auto times = std::stoll(row.get<std::string>(1));
    if (name == "Com_stmt_prepare") open += times;
    if (name == "Com_stmt_close") open -= times;
  }
  EXPECT_LE(open, 5);
}

TEST_F(Mariadb, AnAlteredTableIsReadAnew) {
  run("insert into item (id) values (1)");
  run("select * from item");
  open_mariadb()->execute("alter table item add column extra int default 5");
  EXPECT_EQ(run("select * from item").one().get<int>("extra"), 5);
}

TEST_F(Mariadb, AWriteThatReturnsAlteredColumnsIsRolledBack) {
  constexpr auto insert = "insert into item (id) values ($1) returning *";
  run(insert, array{Value(1)});
  open_mariadb()->execute("alter table item add column extra int");
  connection_->begin({});
  EXPECT_EQ(thrown_by([&] { run(insert, array{Value(2)}); }),
            "sql.serialization_failure, retryable");
  connection_->rollback();
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(run(insert, array{Value(2)}).columns().size(), 4U);
}

TEST_F(Mariadb, LoadsRowsAsArrays) {
  constexpr int rows = 2'500;
  const array columns = {std::string_view("id"), std::string_view("name"),
                         std::string_view("amount")};
  std::vector<Value> values;
  for (int i = 0; i < rows; ++i) {
    values.emplace_back(i);
    values.push_back(i % 2 == 0 ? Value("it's") : Value(nullptr));
    values.push_back(i % 3 == 0 ? Value(nullptr) : Value(-i));
  }
  EXPECT_LE(trips([&] {
              EXPECT_EQ(connection_->load({.table = "item", .columns = columns, .values = values}),
                        rows);
            }),
            6U);  // BEGIN, preparing, three chunks, COMMIT
  EXPECT_EQ(count(), rows);
  const auto found = run("select name, amount from item where id in (4, 9) order by id");
  EXPECT_EQ(found[0].get<std::string>(0), "it's");
  EXPECT_EQ(found[0].get<int>(1), -4);
  EXPECT_TRUE(found[1].is_null(0));
  EXPECT_TRUE(found[1].is_null(1));
}

TEST_F(Mariadb, LoadsEveryKind) {
  const auto uuid = *Uuid::parse("0190163d-8694-739b-aea5-966c26f8ad90");
  const Timestamp at(std::chrono::microseconds(1'769'903'999'123'456));
  const std::array bytes = {std::byte{0}, std::byte{0xff}};
  run("create temporary table kinds (r double, b blob, at datetime(6), u uuid)");
  const array columns = {std::string_view("r"), std::string_view("b"), std::string_view("at"),
                         std::string_view("u")};
  const array values = {Value(0.1),     Value(std::span<const std::byte>(bytes)),
                        Value(at),      Value(uuid),
                        Value(nullptr), Value(nullptr),
                        Value(nullptr), Value(nullptr)};
  EXPECT_EQ(connection_->load({.table = "kinds", .columns = columns, .values = values}), 2);
  const auto row = run("select * from kinds where r is not null").one();
  EXPECT_EQ(row.get<double>(0), 0.1);
  EXPECT_EQ(row.get<Bytes>(1), Bytes(bytes.begin(), bytes.end()));
  EXPECT_EQ(row.get<Timestamp>(2), at);
  EXPECT_EQ(row.get<Uuid>(3), uuid);
}

TEST_F(Mariadb, ARefusedLoadLeavesTheConnectionUsable) {
  const array columns = {std::string_view("id")};
  const array values = {Value(1), Value(1)};
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "item", .columns = columns, .values = values});
            }),
            "sql.unique_violation");
  EXPECT_EQ(count(), 0);
}

TEST_F(Mariadb, HasNoTwoPhaseCommitOfOursAndSaysSo) {
  EXPECT_EQ(
      thrown_by([&] { static_cast<void>(connection_->finish_prepared("x", Prepared::commit)); }),
      "sql.unsupported");
  connection_->begin({});
  run("insert into item (id) values (1)");
  EXPECT_EQ(thrown_by([&] { connection_->prepare("x"); }), "sql.unsupported");
  EXPECT_TRUE(connection_->in_transaction());
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

// A server that starts removes the temporary tables that it finds in its folder: where servers
// share one, those of a server that lives, and what that one runs fails.
TEST_F(Mariadb, TheTestServerHasTheFolderOfItsTemporaryTablesForItself) {
  EXPECT_EQ(run("select @@tmpdir").one().get<std::string>(0), server_setting("MARIADB_DIR"));
}

}  // namespace
}  // namespace carrel::test
