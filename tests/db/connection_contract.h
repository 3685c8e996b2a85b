// The contract of Connection, as tests that every driver runs against a real database.
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, ConnectionContract, testing::Values(&sqlite_backend));
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <string>
#include <thread>

#include "carrel/db/connection.h"
#include "carrel/db/sql_error.h"

namespace carrel::test {

// One database to test against, empty and only ours.
class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  virtual ~Database() = default;
  [[nodiscard]] virtual Driver& driver() = 0;
};

struct Backend {
  std::function<std::unique_ptr<Database>()> make;
  // How this database writes column types and a statement that runs for minutes.
  std::string integer_type, real_type, text_type, bytes_type, timestamp_type, uuid_type;
  std::string endless_query;
  bool takes_arrays = false;
  // How a connection may be left dirty, and a query that gives 1 while it is.
  struct Dirt {
    std::string statement;
    std::string shows;
  };
  std::vector<Dirt> dirt;
};

class ConnectionContract : public testing::TestWithParam<const Backend*> {
 protected:
  void SetUp() override {
    database_ = GetParam()->make();
    connection_ = connect();
    execute("create table thing (id " + GetParam()->integer_type + " primary key, name " +
            GetParam()->text_type + " unique, amount " + GetParam()->integer_type +
            " check (amount >= 0))");
  }

  [[nodiscard]] std::unique_ptr<Connection> connect(Access access = Access::read_write) {
    return database_->driver().connect({.access = access});
  }
  template <class... P>
  Result execute(const std::string& sql, const P&... parameters) {
    const std::array<Value, sizeof...(P)> values{Value(parameters)...};
    return connection_->execute(sql, values);
  }
  void insert(int id, const char* name, int amount = 0) {
    execute("insert into thing values ($1, $2, $3)", id, name, amount);
  }
  std::int64_t things() { return execute("select count(*) from thing").one().get<std::int64_t>(0); }
  template <class F>
  static std::string code_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return std::string(error.code());
    }
    return {};
  }

  std::unique_ptr<Database> database_;
  std::unique_ptr<Connection> connection_;
};

TEST_P(ConnectionContract, EveryKindOfValueComesBackAsItWent) {
  const auto& types = *GetParam();
  execute("create table kinds (i " + types.integer_type + ", r " + types.real_type + ", t " +
          types.text_type + ", b " + types.bytes_type + ", at " + types.timestamp_type + ", u " +
          types.uuid_type + ")");
  const Bytes bytes{std::byte{0}, std::byte{255}, std::byte{'\''}};
  const Timestamp at{std::chrono::microseconds(1'767'225'600'123'456)};
  const auto uuid = *Uuid::parse("0189f7e2-4a6b-7c8d-9e0f-112233445566");
  execute("insert into kinds values ($1, $2, $3, $4, $5, $6)", INT64_MIN, 0.1,
          "\u4e2d\u6587 'quoted' \\", bytes, at, uuid);
  execute("insert into kinds values ($1, $2, $3, $4, $5, $6)", INT64_MAX, -1e300, "", Bytes(),
          Timestamp(), Uuid());
  execute("insert into kinds values ($1, $2, $3, $4, $5, $6)", nullptr, nullptr, nullptr, nullptr,
          nullptr, nullptr);

  struct Kinds {
    std::optional<std::int64_t> i;
    std::optional<double> r;
    std::optional<std::string> t;
    std::optional<Bytes> b;
    std::optional<Timestamp> at;
    std::optional<Uuid> u;
  };
  auto rows = execute("select i, r, t, b, at, u from kinds where i < 0").to<Kinds>();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].i, INT64_MIN);
  EXPECT_EQ(rows[0].r, 0.1);
  EXPECT_EQ(rows[0].t, "\u4e2d\u6587 'quoted' \\");
  EXPECT_EQ(rows[0].b, bytes);
  EXPECT_EQ(rows[0].at, at);
  EXPECT_EQ(rows[0].u, uuid);
  rows = execute("select i, r, t, b, at, u from kinds where i > 0").to<Kinds>();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].i, INT64_MAX);
  EXPECT_EQ(rows[0].r, -1e300);
  EXPECT_EQ(rows[0].t, "");
  EXPECT_EQ(rows[0].b, Bytes());
  rows = execute("select i, r, t, b, at, u from kinds where i is null").to<Kinds>();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows[0].i || rows[0].r || rows[0].t || rows[0].b || rows[0].at || rows[0].u);
}

TEST_P(ConnectionContract, AParameterMayBeUsedTwiceAndOutOfOrder) {
  insert(1, "one", 10);
  insert(2, "two", 20);
  const auto row =
      execute("select name from thing where amount = $2 and id = $1 and amount = $2", 2, 20);
  EXPECT_EQ(row.one().get<std::string_view>(0), "two");
}

TEST_P(ConnectionContract, CountsTheRowsThatChanged) {
  insert(1, "one");
  insert(2, "two");
  EXPECT_EQ(execute("update thing set amount = amount + 1").affected_rows(), 2);
  EXPECT_EQ(execute("update thing set amount = amount").affected_rows(), 2);  // matched, not new
  EXPECT_EQ(execute("delete from thing where id = 9").affected_rows(), 0);
  EXPECT_EQ(execute("delete from thing where id = 1").affected_rows(), 1);
  EXPECT_EQ(execute("select * from thing").affected_rows(), 0);
  EXPECT_EQ(execute("create table other (id " + GetParam()->integer_type + ")").affected_rows(), 0);
}

TEST_P(ConnectionContract, NamesEachKindOfTrouble) {
  insert(1, "one");
  struct Case {
    const char* sql;
    const char* code;
  };
  const Case cases[] = {
      {"insert into thing values (1, 'x', 0)", "sql.unique_violation"},
      {"insert into thing values (2, 'one', 0)", "sql.unique_violation"},
      {"insert into thing values (3, 'three', -1)", "sql.check_violation"},
      {"select * from nowhere", "sql.no_table"},
      {"select missing from thing", "sql.no_column"},
      {"selct 1", "sql.syntax"},
      {"select 1; select 2", "sql.syntax"},
  };
  for (const auto& [sql, code] : cases) {
    EXPECT_EQ(code_of([&] { execute(sql); }), code) << sql;
    EXPECT_FALSE(connection_->in_transaction()) << sql;
    EXPECT_FALSE(connection_->broken()) << sql;
  }
  EXPECT_EQ(things(), 1);
}

TEST_P(ConnectionContract, RefusesWrongParameters) {
  using namespace std::string_view_literals;
  EXPECT_EQ(code_of([&] { execute("select * from thing where id = $1"); }), "sql.parameter_count");
  EXPECT_EQ(code_of([&] { execute("select * from thing where id = $1", 1, 2); }),
            "sql.parameter_count");
  EXPECT_EQ(code_of([&] { execute("select * from thing where name = $1", "a\0b"sv); }),
            "sql.invalid_text");
  EXPECT_EQ(code_of([&] { execute("select * from thing where name = $1", "\xc3\x28"); }),
            "sql.invalid_text");
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, CommitsAndRollsBack) {
  connection_->begin({});
  EXPECT_TRUE(connection_->in_transaction());
  insert(1, "one");
  connection_->commit();
  EXPECT_FALSE(connection_->in_transaction());
  connection_->begin({});
  insert(2, "two");
  connection_->rollback();
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(things(), 1);
}

TEST_P(ConnectionContract, RollsBackWhenDestroyed) {
  connection_->begin({});
  insert(1, "one");
  connection_.reset();
  connection_ = connect();
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, SavepointsUndoPartOfATransaction) {
  connection_->begin({});
  insert(1, "one");
  connection_->savepoint(1);
  insert(2, "two");
  connection_->savepoint(2);
  insert(3, "three");
  connection_->rollback_to(2);
  EXPECT_EQ(things(), 2);
  connection_->release(1);
  connection_->commit();
  EXPECT_EQ(things(), 2);
}

TEST_P(ConnectionContract, ASavepointHealsAFailedStatement) {
  connection_->begin({});
  insert(1, "one");
  connection_->savepoint(1);
  EXPECT_EQ(code_of([&] { insert(1, "again"); }), "sql.unique_violation");
  connection_->rollback_to(1);
  insert(2, "two");
  connection_->commit();
  EXPECT_EQ(things(), 2);
}

TEST_P(ConnectionContract, AReadOnlyTransactionChangesNothing) {
  connection_->begin({.access = Access::read_only});
  EXPECT_EQ(code_of([&] { insert(1, "one"); }), "sql.read_only");
  connection_->rollback();
  insert(2, "two");  // and only that transaction was read-only
  EXPECT_EQ(things(), 1);
}

TEST_P(ConnectionContract, OffersEveryIsolation) {
  for (const auto isolation : {Isolation::standard, Isolation::read_committed,
                               Isolation::repeatable_read, Isolation::serializable}) {
    connection_->begin({.isolation = isolation});
    EXPECT_EQ(things(), 0);
    connection_->commit();
  }
}

TEST_P(ConnectionContract, ReadersSeeWhatWasCommitted) {
  const auto reader = connect(Access::read_only);
  connection_->begin({});
  insert(1, "one");
  EXPECT_EQ(reader->execute("select count(*) from thing").one().get<int>(0), 0);
  connection_->commit();
  EXPECT_EQ(reader->execute("select count(*) from thing").one().get<int>(0), 1);
}

TEST_P(ConnectionContract, RefusesTransactionControlAsAStatement) {
  for (const auto* sql : {"begin", "commit", "rollback", "savepoint x", "start transaction"}) {
    const auto code = code_of([&] { execute(sql); });
    EXPECT_TRUE(code == "sql.transaction_control" || code == "sql.syntax") << sql << ": " << code;
  }
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_P(ConnectionContract, BatchesAnswerInOrderAndStopAtTheFirstError) {
  const std::array<Value, 1> one{Value(1)};
  const std::array<BatchItem, 3> items{{
      {"insert into thing (id) values ($1)", one},
      {"select id + 10 from thing where id = $1", one},
      {"select count(*) from thing", {}},
  }};
  connection_->begin({});
  const auto results = connection_->batch(items);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].affected_rows(), 1);
  EXPECT_EQ(results[1].one().get<int>(0), 11);
  EXPECT_EQ(results[2].one().get<int>(0), 1);
  connection_->commit();

  const std::array<BatchItem, 2> failing{{
      {"insert into thing (id) values ($1)", one},
      {"insert into thing (id) values (5)", {}},
  }};
  connection_->begin({});
  EXPECT_EQ(code_of([&] { connection_->batch(failing); }), "sql.unique_violation");
  connection_->rollback();
  EXPECT_EQ(things(), 1);
}

TEST_P(ConnectionContract, ABatchMayBringItsCommit) {
  const std::array<BatchItem, 2> items{{
      {"insert into thing (id) values (1)", {}},
      {"insert into thing (id) values (2)", {}},
  }};
  connection_->begin({});
  EXPECT_EQ(connection_->batch_and_commit(items).size(), 2U);
  EXPECT_FALSE(connection_->in_transaction());
  connection_->rollback();
  EXPECT_EQ(things(), 2);
}

TEST_P(ConnectionContract, EndsAStatementAtTheDeadline) {
  connection_->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(20));
  EXPECT_EQ(code_of([&] { execute(GetParam()->endless_query); }), "sql.deadline");
  connection_->set_deadline(kNoDeadline);
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, SendsNothingAfterTheDeadline) {
  connection_->begin({});
  insert(1, "one");
  connection_->set_deadline(Clock::Steady::clock::now());
  EXPECT_EQ(code_of([&] { insert(2, "two"); }), "sql.deadline");
  EXPECT_EQ(code_of([&] { connection_->commit(); }), "sql.deadline");
  connection_->set_deadline(kNoDeadline);
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, CancelEndsTheRunningStatementOnly) {
  std::atomic<bool> ended{false};
  std::thread canceller([&] {
    while (!ended) {
      connection_->cancel();
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(code_of([&] { execute(GetParam()->endless_query); }), "sql.cancelled");
  ended = true;
  canceller.join();
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, NothingOfABorrowerOutlivesReset) {
  for (const auto& [statement, shows] : GetParam()->dirt) {
    execute(statement);
    ASSERT_EQ(execute(shows).one().get<int>(0), 1) << statement << " left no trace";
    if (!connection_->reset()) {  // then a pool closes it and opens another
      connection_.reset();
      connection_ = connect();
    }
    EXPECT_EQ(code_of([&] { EXPECT_NE(execute(shows).one().get<int>(0), 1) << statement; }), "")
        << statement;
  }
}

TEST_P(ConnectionContract, ResetRollsBack) {
  connection_->begin({});
  insert(1, "one");
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, ResetForgetsABeginThatNothingFollowed) {
  connection_->begin({.access = Access::read_only});
  EXPECT_TRUE(connection_->reset());
  EXPECT_FALSE(connection_->in_transaction());
  insert(1, "one");  // commits by itself
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(connect(Access::read_only)->execute("select * from thing").size(), 1U);
}

TEST_P(ConnectionContract, SurvivesAChangeOfTheSchemaUnderACachedStatement) {
  insert(1, "one");
  EXPECT_EQ(execute("select * from thing order by id").columns().size(), 3U);
  execute("alter table thing add column extra " + GetParam()->integer_type);
  execute("insert into thing (id, name, amount) values (2, 'two', 0)");
  const auto after = execute("select * from thing order by id");
  EXPECT_EQ(after.columns().size(), 4U);
  ASSERT_EQ(after.size(), 2U);
  EXPECT_EQ(after[0].size(), 4U);
  EXPECT_EQ(after[0].get<int>("id"), 1);
  EXPECT_EQ(after[1].get<int>("id"), 2);
  execute("alter table thing rename column name to title");
  EXPECT_EQ(execute("select * from thing order by id")[1].get<std::string>("title"), "two");
}

TEST_P(ConnectionContract, ForgetsStatementsBeyondItsCache) {
  for (int i = 0; i < 600; ++i) {
    const auto sql = "select " + std::to_string(i) + " + $1";
    EXPECT_EQ(execute(sql, 1).one().get<int>(0), i + 1);
  }
}

}  // namespace carrel::test
