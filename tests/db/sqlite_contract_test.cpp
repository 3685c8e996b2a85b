#include "carrel/drivers/sqlite.h"
#include "db/array_contract.h"
#include "db/call_contract.h"
#include "db/connection_contract.h"
#include "db/load_contract.h"
#include "db/temporary_folder.h"
#include "db/text_contract.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase()
      : driver_(sqlite_driver({.file = folder_ / "test.db", .synchronous = SqliteSync::off})) {}
  [[nodiscard]] Driver& driver() override { return *driver_; }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_;
};

const Backend kSqlite{
    .make = [] { return std::make_unique<SqliteDatabase>(); },
    .integer_type = "integer",
    .real_type = "real",
    .text_type = "text",
    .bytes_type = "blob",
    .timestamp_type = "integer",
    .uuid_type = "blob",
    .endless_query =
        "with recursive n(i) as (select 1 union all select i + 1 from n) "
        "select count(*) from n",
    .dirt = {{"create temp table mine (id integer)",
              "select count(*) from sqlite_temp_master where name = 'mine'"},
             {"create temp view mine as select 1",
              "select count(*) from sqlite_temp_master where name = 'mine'"},
             {"pragma recursive_triggers = on", "pragma recursive_triggers"},
             {"pragma foreign_keys = off", "select not foreign_keys from pragma_foreign_keys"},
             {"pragma query_only = on", "pragma query_only"},
             {"attach ':memory:' as other",
              "select count(*) from pragma_database_list where name = 'other'"}},
};

INSTANTIATE_TEST_SUITE_P(Sqlite, ConnectionContract, testing::Values(&kSqlite),
                         [](const auto&) { return std::string("Sqlite"); });

TEST(SqliteTwoPhase, IsUnsupportedAndTheTransactionIsStillThere) {
  SqliteDatabase database;
  const auto connection = database.driver().connect({});
  EXPECT_EQ(
      thrown_by([&] { static_cast<void>(connection->finish_prepared("x", Prepared::commit)); }),
      "sql.unsupported");
  connection->begin({});
  connection->execute("create table t (id integer)");
  EXPECT_EQ(thrown_by([&] { connection->prepare("x"); }), "sql.unsupported");
  EXPECT_TRUE(connection->in_transaction());
}

}  // namespace
}  // namespace carrel::test
