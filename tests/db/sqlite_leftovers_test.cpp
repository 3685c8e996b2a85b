// The leak matrix of SQLite: nothing of what a borrower left in its connection, and however it got
// there, is found by the next one.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <tuple>

#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"
#include "drivers/errors.h"
#include "drivers/leftovers.h"

namespace carrel::test {
namespace {

enum class Way { itself, transaction, refused };

std::string name_of(Way way) {
  constexpr std::array names = {"Itself", "InATransaction", "InARefusedText"};
  return names.at(static_cast<std::size_t>(way));
}

void leave(Connection& connection, const std::string& sql, Way way) {
  switch (way) {
    case Way::itself:
      connection.execute(sql);
      break;
    case Way::transaction:
      connection.begin({});
      connection.execute(sql);
      connection.commit();
      break;
    case Way::refused:  // as it is two statements; SQLite has compiled the first by then
      EXPECT_EQ(thrown_by([&] { connection.execute(sql + "; select 1"); }), "sql.syntax");
      break;
  }
}

class SqliteLeftovers : public testing::TestWithParam<std::tuple<Leftover, Way>> {
 protected:
  [[nodiscard]] std::unique_ptr<Driver> driver() const {
    return sqlite_driver({.file = folder_ / "test.db", .synchronous = SqliteSync::off});
  }
  const Leftover& leftover_ = std::get<0>(GetParam());
  const Way way_ = std::get<1>(GetParam());
  TemporaryFolder folder_;
};

TEST_P(SqliteLeftovers, AreNotFoundByTheNextBorrower) {
  {
    const auto alone = driver();
    const auto witness = alone->connect({});
    leave(*witness, leftover_.sql, way_);
    ASSERT_FALSE(witness->execute(leftover_.trace).empty()) << "it left no trace";
  }
  OneConnection pool(driver());
  auto lease = pool.borrow();
  leave(*lease, leftover_.sql, way_);
  lease.release();
  lease = pool.borrow();
  EXPECT_TRUE(lease->execute(leftover_.trace).empty());
  EXPECT_EQ(pool.opened(), 2U);
}

std::string name_of_row(const testing::TestParamInfo<std::tuple<Leftover, Way>>& row) {
  return std::get<0>(row.param).name + name_of(std::get<1>(row.param));
}

constexpr const char* kTemporary = "select 1 from sqlite_temp_master where name = 'leftover'";

INSTANTIATE_TEST_SUITE_P(
    Kinds, SqliteLeftovers,
    testing::Combine(
        testing::Values(
            Leftover{"Pragma", "pragma recursive_triggers = on",
                     "select 1 from pragma_recursive_triggers where recursive_triggers = 1"},
            Leftover{"Reading", "pragma read_uncommitted = on",
                     "select 1 from pragma_read_uncommitted where read_uncommitted = 1"},
            Leftover{"TemporaryTable", "create temp table leftover (id integer)", kTemporary},
            Leftover{"TemporaryTableByItsSchema", "create table temp.leftover as select 1 as id",
                     kTemporary},
            Leftover{"TemporaryVirtualTable", "create virtual table temp.leftover using fts5(text)",
                     kTemporary},
            Leftover{"TemporaryView", "create temp view leftover as select 1", kTemporary}),
        testing::Values(Way::itself, Way::transaction)),
    name_of_row);

INSTANTIATE_TEST_SUITE_P(Attached, SqliteLeftovers,
                         testing::Combine(testing::Values(Leftover{
                                              "Database", "attach ':memory:' as leftover",
                                              "select 1 from pragma_database_list "
                                              "where name = 'leftover'"}),
                                          testing::Values(Way::itself, Way::transaction)),
                         name_of_row);

// These take effect when they are compiled, or not at all in a transaction.
INSTANTIATE_TEST_SUITE_P(
    Compiled, SqliteLeftovers,
    testing::Combine(
        testing::Values(Leftover{"NoForeignKeys", "pragma foreign_keys = off",
                                 "select 1 from pragma_foreign_keys where foreign_keys = 0"},
                        Leftover{"NoChecks", "pragma ignore_check_constraints = on",
                                 "select 1 from pragma_ignore_check_constraints "
                                 "where ignore_check_constraints = 1"},
                        Leftover{"NoWrites", "pragma query_only = on",
                                 "select 1 from pragma_query_only where query_only = 1"}),
        testing::Values(Way::itself, Way::refused)),
    name_of_row);

class SqliteReturn : public testing::Test {
 protected:
  SqliteReturn() { pool_.borrow()->execute("create table kept (id integer)"); }

  TemporaryFolder folder_;
  OneConnection pool_{sqlite_driver({.file = folder_ / "test.db", .synchronous = SqliteSync::off})};
};

TEST_F(SqliteReturn, RollsBackWhatIsOpenBeforeTheNextBorrower) {
  for (const auto access : {Access::read_write, Access::read_only}) {
    for (const auto* sql : {"insert into kept values (1)", "select * from kept", "select wrong"}) {
      auto lease = pool_.borrow();
      lease->begin({.access = access});
      static_cast<void>(thrown_by([&] { lease->execute(sql); }));
      lease->savepoint(1);
      lease.release();
      lease = pool_.borrow();
      EXPECT_FALSE(lease->in_transaction()) << sql;
      EXPECT_EQ(lease->execute("select count(*) from kept").one().get<int>(0), 0) << sql;
      EXPECT_EQ(thrown_by([&] { lease->execute("delete from kept"); }), "nothing") << sql;
    }
  }
  EXPECT_EQ(pool_.opened(), 1U);
}

TEST_F(SqliteReturn, BelievesWhoeverSaysThatMoreIsLeftAndNobodyWhoSaysLess) {
  pool_.borrow()->execute({"delete from kept", Leaves::nothing});
  EXPECT_EQ(pool_.opened(), 1U);
  pool_.borrow()->execute({"delete from kept", Leaves::anything});
  pool_.borrow()->execute({"create temp table leftover (id integer)", Leaves::nothing});
  EXPECT_TRUE(pool_.borrow()->execute(kTemporary).empty());
  EXPECT_EQ(pool_.opened(), 3U);
}

// VACUUM is refused while any statement of its connection is under way.
TEST_F(SqliteReturn, LeavesNoStatementOpen) {
  auto lease = pool_.borrow();
  lease->execute("insert into kept values (1), (2)");
  lease->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(thrown_by([&] {
              lease->execute(
                  "with recursive n(i) as (select 1 union all select i + 1 from n) "
                  "select id, (select count(*) from n where i > id) from kept");
            }),
            "sql.deadline, retryable");
  lease->set_deadline(kNoDeadline);
  lease->execute("select * from kept");
  lease.release();
  lease = pool_.borrow();
  EXPECT_EQ(thrown_by([&] { lease->execute("vacuum"); }), "nothing");
  EXPECT_EQ(pool_.opened(), 1U);
}

}  // namespace
}  // namespace carrel::test
