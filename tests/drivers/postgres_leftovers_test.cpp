// The leak matrix of PostgreSQL: nothing of what a borrower left in its session, and however it got
// there, is found by the next one.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <tuple>
#include <vector>

#include "drivers/errors.h"
#include "drivers/leftovers.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;

enum class Way { itself, function, block, transaction, batch };

std::string name_of(Way way) {
  constexpr array names = {"Itself", "InAFunction", "InABlock", "InATransaction", "InABatch"};
  return names.at(static_cast<std::size_t>(way));
}

void leave(Connection& connection, const std::string& sql, Way way) {
  const array parameters = {Value(sql)};
  const array items = {BatchItem{.statement = "select 1", .parameters = {}},
                       BatchItem{.statement = sql, .parameters = {}}};
  switch (way) {
    case Way::itself:
      connection.execute(sql);
      break;
    case Way::function:
      connection.execute("select hide($1)", parameters);
      break;
    case Way::block:
      connection.execute("do $do$ begin execute $it$" + sql + "$it$; end $do$");
      break;
    case Way::transaction:
      connection.begin({});
      connection.execute(sql);
      connection.commit();
      break;
    case Way::batch:
      connection.begin({});
      connection.batch_and_commit(items);
      break;
  }
}

class PostgresLeftovers : public testing::TestWithParam<std::tuple<Leftover, Way>> {
 protected:
  PostgresLeftovers() {
    open_postgres()->execute(
        "create or replace function hide(hidden text) returns void language plpgsql as "
        "$$ begin execute hidden; end $$");
    open_postgres()->execute(
        "create or replace function log(size text) returns text volatile language sql as "
        "$$ select set_config('work_mem', size, false) $$");
    open_postgres()->execute(
        "create or replace function quiet(of int) returns text immutable language plpgsql as "
        "$$ begin return set_config('work_mem', '7MB', false); end $$");
    open_postgres()->execute("drop table if exists item");
    open_postgres()->execute("create table item as values (1)");
  }
  const Leftover& leftover_ = std::get<0>(GetParam());
  const Way way_ = std::get<1>(GetParam());
};

TEST_P(PostgresLeftovers, AreNotFoundByTheNextBorrower) {
  auto witness = open_postgres();
  leave(*witness, leftover_.sql, way_);
  ASSERT_FALSE(witness->execute(leftover_.trace).empty()) << "it left no trace";
  witness.reset();

  // Nothing but the one statement may have made the connection dirty.
  OneConnection pool(postgres_driver(postgres_options()));
  auto lease = pool.borrow();
  leave(*lease, leftover_.sql, way_);
  const auto trips = lease->round_trips();
  lease.release();
  lease = pool.borrow();
  EXPECT_EQ(pool.opened(), leftover_.replaced ? 2U : 1U);
  if (!leftover_.replaced) {
    EXPECT_EQ(lease->round_trips(), trips + 1);
  }
  EXPECT_TRUE(lease->execute(leftover_.trace).empty());
}

std::string name_of_row(const testing::TestParamInfo<std::tuple<Leftover, Way>>& row) {
  return std::get<0>(row.param).name + name_of(std::get<1>(row.param));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, PostgresLeftovers,
    testing::Combine(
        testing::Values(
            Leftover{"Setting", "set work_mem = '7MB'",
                     "select 1 where current_setting('work_mem') = '7MB'"},
            Leftover{"SettingByAFunction", "select set_config('work_mem', '7MB', false)",
                     "select 1 where current_setting('work_mem') = '7MB'"},
            Leftover{"SettingOfTheApplication", "set carrel.leftover = 'it'",
                     "select 1 where current_setting('carrel.leftover', true) = 'it'"},
            Leftover{"SearchPath", "set search_path = pg_catalog",
                     "select 1 where current_setting('search_path') = 'pg_catalog'"},
            Leftover{"TimeZone", "set timezone = 'Asia/Shanghai'",
                     "select 1 where current_setting('timezone') = 'Asia/Shanghai'"},
            Leftover{"Encoding", "set client_encoding = latin1",
                     "select 1 where current_setting('client_encoding') = 'LATIN1'"},
            Leftover{"Characteristics", "set session characteristics as transaction read only",
                     "select 1 where current_setting('default_transaction_read_only') = 'on'"},
            Leftover{"Role", "set role pg_monitor", "select 1 where current_user = 'pg_monitor'"},
            Leftover{"SessionAuthorization", "set session authorization pg_monitor",
                     "select 1 where session_user = 'pg_monitor'"},
            Leftover{"TemporaryTable", "create temporary table leftover (id int)",
                     "select 1 from pg_class where relname = 'leftover' and "
                     "relnamespace = pg_my_temp_schema()"},
            Leftover{"TemporaryTableByItsSchema", "create table \"pg_temp\".leftover (id int)",
                     "select 1 from pg_class where relname = 'leftover' and "
                     "relnamespace = pg_my_temp_schema()"},
            Leftover{"TemporaryView", "create temporary view leftover as select 1",
                     "select 1 from pg_class where relname = 'leftover' and "
                     "relnamespace = pg_my_temp_schema()"},
            Leftover{"TemporaryFunction",
                     "create function pg_temp.leftover() returns int language sql as 'select 1'",
                     "select 1 from pg_proc where proname = 'leftover' and "
                     "pronamespace = pg_my_temp_schema()"},
            Leftover{"AdvisoryLock", "select pg_advisory_lock(42)",
                     "select 1 from pg_locks where locktype = 'advisory' and "
                     "pid = pg_backend_pid()"},
            Leftover{"SharedAdvisoryLock", "select pg_try_advisory_lock_shared(4, 2)",
                     "select 1 from pg_locks where locktype = 'advisory' and "
                     "pid = pg_backend_pid()"},
            Leftover{"Listen", "listen news", "select 1 from pg_listening_channels()"},
            Leftover{"Cursor", "declare leftover cursor with hold for select 1",
                     "select 1 from pg_cursors where name = 'leftover'"},
            Leftover{"PreparedStatement", "prepare leftover as select 1",
                     "select 1 from pg_prepared_statements where name = 'leftover'",
                     /*replaced=*/true}),
        testing::Values(Way::itself, Way::function, Way::block, Way::transaction, Way::batch)),
    name_of_row);

// What a function cannot hide, since it runs its text otherwise or is none.
INSTANTIATE_TEST_SUITE_P(
    Plain, PostgresLeftovers,
    testing::Combine(
        testing::Values(
            Leftover{"TemporaryTableOfAQuery", "select 1 as id into temp leftover",
                     "select 1 from pg_class where relname = 'leftover' and "
                     "relnamespace = pg_my_temp_schema()"},
            Leftover{"SequenceValue",
                     "do $$ begin create sequence if not exists pg_temp.leftover; "
                     "perform nextval('pg_temp.leftover'); end $$",
                     "select 1 from pg_class where relname = 'leftover' and "
                     "relnamespace = pg_my_temp_schema()"},
            Leftover{"FunctionBesideNamesOfColumns",
                     "select given.n, hide('set work_mem = ''7MB''')::text as \"given\" "
                     "from unnest(array[1]) as given (n)",
                     "select 1 where current_setting('work_mem') = '7MB'"},
            Leftover{"FunctionOfAGeneratedColumn",
                     "alter table item drop column if exists more, "
                     "add column more text generated always as (quiet(column1)) stored",
                     "select 1 where current_setting('work_mem') = '7MB'"},
            Leftover{"FunctionNamedAsAHarmlessOne", "select " + own_name() + ".log('7MB')",
                     "select 1 where current_setting('work_mem') = '7MB'"},
            Leftover{"FunctionCalledByDdl",
                     "alter table item alter column1 type text using " + own_name() + ".log('7MB')",
                     "select 1 where current_setting('work_mem') = '7MB'"}),
        testing::Values(Way::itself, Way::transaction, Way::batch)),
    name_of_row);

// Each ends in the middle of a transaction, the last ones in a failed one.
TEST(PostgresOpenTransaction, IsRolledBackBeforeTheNextBorrower) {
  open_postgres()->execute("create table if not exists kept (id int)");
  OneConnection pool(postgres_driver(postgres_options()));
  const std::vector<std::vector<const char*>> borrowers = {
      {"insert into kept values (1)"},
      {"declare leftover cursor for select 1"},
      {"set local work_mem = '7MB'"},
      {"set work_mem = '7MB'"},
      {"create temporary table leftover (id int) on commit preserve rows"},
      {"prepare transaction 'no'"},
      {"select 1 / 0"},
      {"set work_mem = '7MB'", "select 1 / 0"}};
  for (const auto& statements : borrowers) {
    auto lease = pool.borrow();
    lease->begin({});
    lease->execute("select 1");
    lease->savepoint(1);
    for (const auto* sql : statements) {
      static_cast<void>(thrown_by([&] { lease->execute(sql); }));
    }
    const auto trips = lease->round_trips();
    lease.release();
    lease = pool.borrow();
    EXPECT_EQ(lease->round_trips(), trips + 1) << statements.front();
    EXPECT_FALSE(lease->in_transaction()) << statements.front();
    const auto left = lease->execute(
        "select (select count(*) from kept) + (select count(*) from pg_cursors where name = "
        "'leftover') + "
        "(select count(*) from pg_class where relname = 'leftover') + "
        "(case current_setting('work_mem') when '7MB' then 1 else 0 end)");
    EXPECT_EQ(left.one().get<int>(0), 0) << statements.front();
  }
  EXPECT_EQ(pool.opened(), 1U);
}

// Nothing to clean must not mean a setting of the connection's own is lost: here its role, which
// the next borrower needs, or must not exceed.
TEST(PostgresStart, IsWhatTheNextBorrowerFinds) {
  auto options = postgres_options();
  options.parameters["options"] += " -c role=pg_monitor -c carrel.tenant=mine";
  OneConnection pool(postgres_driver(options));
  for (const auto* sql :
       {"set role none", "set role pg_read_all_data", "set session authorization pg_read_all_data",
        "set timezone = 'Asia/Shanghai'", "set carrel.tenant = 'other'", "reset all"}) {
    auto lease = pool.borrow();
    lease->execute(sql);
    lease.release();
    lease = pool.borrow();
    const auto row = lease->execute(
        "select current_user::text, current_setting('timezone'), current_setting('carrel.tenant')");
    EXPECT_EQ(row.one().get<std::string>(0), "pg_monitor") << sql;
    EXPECT_EQ(row.one().get<std::string>(1), "UTC") << sql;
    EXPECT_EQ(row.one().get<std::string>(2), "mine") << sql;
  }
  EXPECT_EQ(pool.opened(), 1U);
}

}  // namespace
}  // namespace carrel::test
