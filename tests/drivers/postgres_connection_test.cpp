#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "drivers/far_off_times.h"
#include "drivers/one_connection.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

using std::array;

class Postgres : public OneConnectionTest {
 protected:
  Postgres()
      : OneConnectionTest(open_postgres(),
                          "id bigint primary key, name text, amount bigint default 0") {}
  std::int64_t prepared_on_server() {
    return run("select count(*) from pg_prepared_statements").one().get<std::int64_t>(0);
  }
};

TEST_F(Postgres, EveryKindOfValueComesBackAsItWent) {
  const auto uuid = *Uuid::parse("0190163d-8694-739b-aea5-966c26f8ad90");
  const Timestamp at(std::chrono::microseconds(1'769'903'999'123'456));
  const std::array bytes = {std::byte{0}, std::byte{0xff}, std::byte{'\\'}};
  const auto row =
      run("select $1, $2, $3, $4, $5, $6, $7::int",
          array{Value(INT64_MIN), Value(0.1), Value("Gr\xc3\xbc\xc3\x9f 'e' \\"),
                Value(std::span<const std::byte>(bytes)), Value(at), Value(uuid), Value(nullptr)})
          .one();
  EXPECT_EQ(row.get<std::int64_t>(0), INT64_MIN);
  EXPECT_EQ(row.get<double>(1), 0.1);
  EXPECT_EQ(row.get<std::string>(2), "Gr\xc3\xbc\xc3\x9f 'e' \\");
  EXPECT_EQ(row.get<Bytes>(3), Bytes(bytes.begin(), bytes.end()));
  EXPECT_EQ(row.get<Timestamp>(4), at);
  EXPECT_EQ(row.get<Uuid>(5), uuid);
  EXPECT_TRUE(row.is_null(6));
}

TEST_F(Postgres, InfinityAndNotANumberAreReals) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto row = run("select $1, 'NaN'::float8", array{Value(-infinity)}).one();
  EXPECT_EQ(row.get<double>(0), -infinity);
  EXPECT_NE(row.get<double>(1), row.get<double>(1));
}

TEST_F(Postgres, TextTakesTheTypeOfItsPlace) {
  run("create temp table typed (d date, j jsonb, n numeric(8,2), i int)");
  run("insert into typed values ($1, $2, $3, $4)",
      array{Value("2026-01-31"), Value("{\"a\": 1}"), Value("12.50"), Value(7)});
  const auto row =
      run("select d, j, n, i from typed where d = $1", array{Value("2026-01-31")}).one();
  EXPECT_EQ(row.get<std::string>("d"), "2026-01-31");
  EXPECT_EQ(row.get<std::string>("j"), "{\"a\": 1}");
  EXPECT_EQ(row.get<std::string>("n"), "12.50");
  EXPECT_EQ(row.get<int>("i"), 7);
}

TEST_F(Postgres, SumsOfIntegersAreIntegers) {
  run("insert into item values (1, 'a', 5), (2, 'b', 6)");
  EXPECT_EQ(run("select sum(amount) from item").one().get<std::int64_t>(0), 11);
}

TEST_F(Postgres, AffectedRowsCountsChangesOnly) {
  EXPECT_EQ(run("insert into item values (1), (2), (3)").affected_rows(), 3);
  EXPECT_EQ(run("update item set amount = 1 where id > $1", array{Value(1)}).affected_rows(), 2);
  EXPECT_EQ(run("select * from item").affected_rows(), 0);
  EXPECT_EQ(run("delete from item").affected_rows(), 3);
}

TEST_F(Postgres, ATimeBeforeItsCalendarIsNotSentByAStatementThatItKnowsEither) {
  const auto refused = [&] {
    return thrown_by([&] { run("select $1 < now()", array{Value(Timestamp::min())}); });
  };
  EXPECT_EQ(refused(), "sql.value_out_of_range");
  run("select $1 < now()", array{Value(Timestamp())});
  EXPECT_EQ(trips([&] { EXPECT_EQ(refused(), "sql.value_out_of_range"); }), 0U);
  EXPECT_EQ(run("select 1").size(), 1U);
}

TEST_F(Postgres, ATimeThatIsTooFarOffIsRefusedAndNotAnotherOne) {
  run("create temporary table dated (at timestamptz)");
  constexpr std::array<std::string_view, 1> columns = {"at"};
  for (const auto at : far_off_times()) {
    const array values = {Value(at)};
    const auto load = [&] {
      connection_->load({.table = "dated", .columns = columns, .values = values});
    };
    EXPECT_EQ(thrown_by(load), "sql.value_out_of_range");
  }
  EXPECT_EQ(run("select count(*) from dated").one().get<int>(0), 0);
  const array last = {Value(far_off_times().front() - std::chrono::microseconds(1))};
  run("insert into dated values ($1)", last);
  connection_->load({.table = "dated", .columns = columns, .values = last});
  EXPECT_EQ(run("select at from dated")[0].get<Timestamp>(0), last[0].timestamp());
  EXPECT_EQ(run("select at from dated")[1].get<Timestamp>(0), last[0].timestamp());
}

TEST_F(Postgres, RefusalsHaveTheirCodes) {
  run("create temp table strict (n int check (n > 0))");
  EXPECT_EQ(failing("insert into strict values (0)"), "sql.check_violation");
  run("insert into item values (1)");
  EXPECT_EQ(failing("insert into item values (1)"), "sql.unique_violation");
  EXPECT_EQ(failing("insert into item values (null)"), "sql.not_null_violation");
  EXPECT_EQ(failing("selec 1"), "sql.syntax");
  EXPECT_EQ(failing("select * from nothing"), "sql.no_table");
  EXPECT_EQ(failing("select nothing from item"), "sql.no_column");
  EXPECT_EQ(failing("select 'a'::int"), "sql.type_mismatch");
  EXPECT_EQ(failing("select 300000::int2"), "sql.value_out_of_range");
  EXPECT_EQ(failing("begin"), "sql.transaction_control");
  EXPECT_EQ(failing("copy item from stdin"), "sql.unsupported");
  EXPECT_EQ(failing("select $1"), "sql.parameter_count");
  EXPECT_EQ(failing("select 1; select 2"), "sql.syntax");
}

TEST_F(Postgres, MessagesCarryNoValues) {
  const auto message =
      message_of([&] { run("update item set amount = 1 where id = $1", array{Value("tiger")}); });
  EXPECT_NE(message.find("bigint"), std::string::npos) << message;
  EXPECT_EQ(message.find("tiger"), std::string::npos) << message;
}

TEST_F(Postgres, BeginRidesWithTheFirstStatement) {
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              run("insert into item values (1)");
              connection_->commit();
            }),
            2U);
  EXPECT_EQ(count(), 1);
}

TEST_F(Postgres, AnEmptyTransactionNeverLeavesTheHouse) {
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_TRUE(connection_->in_transaction());
              connection_->commit();
              connection_->begin({});
              connection_->rollback();
            }),
            0U);
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(Postgres, EveryWayToBeginIsPreparedOnceAndMadeAgainWhenTheServerForgot) {
  const std::string_view insert = "insert into item (id) values ($1)";
  const auto add = [&](int id) {
    connection_->begin({});
    run(insert, array{Value(id)});
    connection_->commit();
  };
  add(1);
  const auto prepared = prepared_on_server();
  add(2);
  EXPECT_EQ(prepared_on_server(), prepared);
  run("discard all");  // seen by the driver
  add(3);
  run("do $$ begin execute 'deallocate all'; end $$");  // not seen
  add(4);
  run("do $$ begin execute 'deallocate all'; end $$");
  run(insert, array{Value(5)});  // nor when it goes by itself
  EXPECT_EQ(count(), 5);
}

TEST_F(Postgres, ACommitThatIsRefusedOutsideATransactionIsAnError) {
  run("create temp table late (id int unique deferrable initially deferred)");
  const auto insert = [&] { run("insert into late values ($1)", array{Value(1)}); };
  insert();
  // Answered first, and refused by the commit that follows: once with others, then by itself.
  for (int time = 0; time < 2; ++time) EXPECT_EQ(thrown_by(insert), "sql.unique_violation");
  EXPECT_EQ(run("select count(*) from late").one().get<int>(0), 1);
}

TEST_F(Postgres, BatchAndCommitIsOneRoundTrip) {
  const array items = {BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "insert into item values (2)", .parameters = {}}};
  EXPECT_EQ(trips([&] {
              connection_->begin({});
              EXPECT_EQ(connection_->batch_and_commit(items).size(), 2U);
            }),
            1U);
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 2);
}

TEST_F(Postgres, AFailedBatchIsNotCommitted) {
  const array items = {BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "insert into item values (1)", .parameters = {}}};
  connection_->begin({});
  EXPECT_EQ(thrown_by([&] { connection_->batch_and_commit(items); }), "sql.unique_violation");
  EXPECT_TRUE(connection_->in_transaction());
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(Postgres, BeginOptionsHold) {
  connection_->begin({.isolation = Isolation::serializable, .access = Access::read_only});
  EXPECT_EQ(run("show transaction_isolation").one().get<std::string>(0), "serializable");
  EXPECT_EQ(failing("insert into item values (1)"), "sql.read_only");
  connection_->rollback();
}

TEST_F(Postgres, CommitOfASpoiledTransactionSaysRolledBack) {
  connection_->begin({});
  run("insert into item values (1)");
  EXPECT_EQ(failing("insert into item values (1)"), "sql.unique_violation");
  EXPECT_EQ(failing("select 1"), "sql.rolled_back");
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.rolled_back");
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 0);
}

TEST_F(Postgres, ARefusedCommitIsNotInDoubt) {
  run("create table child (item bigint references item deferrable initially deferred)");
  connection_->begin({});
  run("insert into child values (9)");
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.foreign_key_violation");
  EXPECT_FALSE(connection_->in_transaction());
  run("drop table child");
}

TEST_F(Postgres, SavepointsComeBack) {
  connection_->begin({});
  run("insert into item values (1)");
  connection_->savepoint(1);
  run("insert into item values (2)");
  EXPECT_EQ(failing("insert into item values (2)"), "sql.unique_violation");
  connection_->rollback_to(1);
  connection_->savepoint(1);
  run("insert into item values (3)");
  connection_->release(1);
  connection_->commit();
  EXPECT_EQ(count(), 2);
}

TEST_F(Postgres, ASerializationFailureIsAConflict) {
  run("insert into item values (1), (2)");
  const auto other = open_postgres();
  connection_->begin({.isolation = Isolation::serializable});
  other->begin({.isolation = Isolation::serializable});
  run("select sum(amount) from item");
  other->execute("select sum(amount) from item");
  run("update item set amount = 1 where id = 1");
  other->execute("update item set amount = 1 where id = 2");
  connection_->commit();
  EXPECT_EQ(thrown_by([&] { other->commit(); }), "sql.serialization_failure, retryable");
}

TEST_F(Postgres, OneTextIsPreparedOnce) {
  const auto before = prepared_on_server();
  for (int id = 1; id <= 3; ++id) run("insert into item values ($1)", array{Value(id)});
  EXPECT_EQ(prepared_on_server(), before + 1);
}

TEST_F(Postgres, NullGoesWithAStatementPreparedForText) {
  run("insert into item values ($1, $2)", array{Value(1), Value("a")});
  const auto before = prepared_on_server();
  run("insert into item values ($1, $2)", array{Value(2), Value(nullptr)});
  EXPECT_EQ(prepared_on_server(), before);
}

TEST_F(Postgres, TheSameTextTakesParametersOfOtherTypes) {
  EXPECT_EQ(run("select $1", array{Value(nullptr)}).one().is_null(0), true);
  EXPECT_EQ(run("select $1", array{Value(7)}).one().get<int>(0), 7);
  EXPECT_EQ(run("select $1", array{Value("seven")}).one().get<std::string>(0), "seven");
  EXPECT_EQ(run("select $1", array{Value(7.5)}).one().get<double>(0), 7.5);
}

TEST_F(Postgres, FewStatementsStayPrepared) {
  auto options = postgres_options();
  options.statements_max = 4;
  connection_ = open_postgres(options);
  for (int i = 0; i < 40; ++i) run("select " + std::to_string(i));
  EXPECT_LE(prepared_on_server(), 5);
}

TEST_F(Postgres, NothingIsPreparedWhenSwitchedOff) {
  auto options = postgres_options();
  options.statements_max = 0;
  connection_ = open_postgres(options);
  run("insert into item values ($1)", array{Value(1)});
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(prepared_on_server(), 0);
}

TEST_F(Postgres, ABatchMayRepeatAStatementAndOverflowTheCache) {
  auto options = postgres_options();
  options.statements_max = 2;
  connection_ = open_postgres(options);
  std::vector<std::string> texts;
  for (int i = 0; i < 6; ++i)
    texts.push_back("insert into item values (" + std::to_string(i) + ")");
  std::vector<BatchItem> items;
  for (const auto& text : texts) items.push_back({.statement = text, .parameters = {}});
  const array one = {Value(100)};
  const array two = {Value(101)};
  items.push_back({.statement = "insert into item values ($1)", .parameters = one});
  items.push_back({.statement = "insert into item values ($1)", .parameters = two});
  connection_->batch(items);
  EXPECT_EQ(count(), 8);
  run("select 1");
  EXPECT_LE(prepared_on_server(), 4);
}

TEST_F(Postgres, AnAlteredTableIsPreparedAgain) {
  run("insert into item values (1)");
  run("select * from item");
  open_postgres()->execute("alter table item add column extra int");
  EXPECT_EQ(run("select * from item").columns().size(), 4U);

  open_postgres()->execute("alter table item add column more int");
  connection_->begin({});
  EXPECT_EQ(run("select * from item").columns().size(), 5U);  // BEGIN was sent along with it
  connection_->commit();
}

TEST_F(Postgres, ATableAlteredDuringATransactionIsAConflict) {
  run("select * from item");
  connection_->begin({});
  run("select 1");
  open_postgres()->execute("alter table item add column extra int");
  EXPECT_EQ(failing("select * from item"), "sql.serialization_failure, retryable");
  connection_->rollback();
  EXPECT_EQ(run("select * from item").columns().size(), 4U);
}

TEST_F(Postgres, LoadsRowsByCopy) {
  const array columns = {std::string_view("id"), std::string_view("name")};
  const array values = {Value(1), Value("tab\there\nand \\N"), Value(2), Value(nullptr)};
  EXPECT_EQ(connection_->load({.table = "item", .columns = columns, .values = values}), 2);
  const auto rows = run("select name from item order by id");
  EXPECT_EQ(rows[0].get<std::string>(0), "tab\there\nand \\N");
  EXPECT_TRUE(rows[1].is_null(0));
}

TEST_F(Postgres, ALoadBelongsToItsTransaction) {
  const array columns = {std::string_view("id")};
  std::vector<Value> values(100'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = Value(i);
  connection_->begin({});
  EXPECT_EQ(connection_->load({.table = "item", .columns = columns, .values = values}), 100'000);
  EXPECT_EQ(count(), 100'000);
  connection_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(Postgres, ALoadThatComesFirstIsCommittedWithItsTransaction) {
  const array columns = {std::string_view("id")};
  const array values = {Value(1)};
  connection_->begin({});
  connection_->load({.table = "item", .columns = columns, .values = values});
  connection_->commit();
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(open_postgres()->execute("select * from item").size(), 1U);
}

TEST_F(Postgres, ARefusedLoadLeavesTheConnectionUsable) {
  const array columns = {std::string_view("id")};
  const array values = {Value(1), Value(1)};
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "item", .columns = columns, .values = values});
            }),
            "sql.unique_violation");
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "nothing", .columns = columns, .values = values});
            }),
            "sql.no_table");
  EXPECT_EQ(count(), 0);
}

}  // namespace
}  // namespace carrel::test
