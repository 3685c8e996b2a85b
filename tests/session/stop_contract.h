// What a stop, and the deadline of a call inside, do to a statement that runs: tests for every
// database.
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, RunningStatement, testing::Values(&kSqlite), name_of_endless);
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/code_of.h"
#include "carrel/db/pool.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace carrel::test {

// A database that has a statement without an end.
class EndlessDatabase {
 public:
  EndlessDatabase() = default;
  EndlessDatabase(const EndlessDatabase&) = delete;
  EndlessDatabase& operator=(const EndlessDatabase&) = delete;
  virtual ~EndlessDatabase() = default;

  [[nodiscard]] virtual Driver& driver() = 0;
  // Inserts into the table "item", which has a number as its only column.
  [[nodiscard]] virtual std::string endless_insert() const = 0;
  // Called before that is sent: whether it runs, to be asked by one other thread.
  [[nodiscard]] virtual std::function<bool()> watch() = 0;
};

struct EndlessBackend {
  std::string name;
  std::function<std::unique_ptr<EndlessDatabase>()> make;
  // Whether what was done before a savepoint outlives a write that is ended after it. SQLite undoes
  // all of a transaction.
  bool savepoints_hold = true;
};

inline std::string name_of_endless(const testing::TestParamInfo<const EndlessBackend*>& backend) {
  return backend.param->name;
}

class RunningStatement : public testing::TestWithParam<const EndlessBackend*> {
 protected:
  using P = Propagation;
  using Rows = std::vector<int>;

  RunningStatement() {
    session_.execute("drop table if exists item");
    session_.execute("create table item (id bigint primary key)");
  }
  ~RunningStatement() override { EXPECT_EQ(pool_.stats().closed_broken, 0U); }

  void insert(int id) { session_.execute("insert into item values ($1)", id); }
  // The stop is asked for once the statement runs.
  void insert_without_end(std::stop_source& stop) {
    const std::jthread asker([&, runs = database_->watch()](const std::stop_token& over) {
      while (!over.stop_requested() && !runs()) std::this_thread::yield();
      EXPECT_FALSE(over.stop_requested());
      stop.request_stop();
    });
    session_.execute(database_->endless_insert());
  }
  // A transaction that has inserted 1, and runs `inner`, which inserts 2 and whatever has no end;
  // says what became of the whole. It goes on with 3 where it may.
  std::string around(P mode, const std::function<std::string()>& inner, std::string_view ends_by) {
    return code_of([&] {
      session_.transaction([&] {
        insert(1);
        EXPECT_EQ(inner(), ends_by);
        if (undone_alone(mode)) return insert(3);
        EXPECT_EQ(code_of([&] { insert(3); }), "rollback_only");
      });
    });
  }
  [[nodiscard]] static bool undone_alone(P mode) {
    return mode == P::nested && GetParam()->savepoints_hold;
  }
  void expect(const Rows& expected) {
    Rows rows;
    for (const Row row : session_.execute("select id from item order by id"))
      rows.push_back(row.get<int>(0));
    EXPECT_EQ(rows, expected);
    session_.execute("delete from item");
  }
  void expect_end_of(P mode, const std::string& code) {
    EXPECT_EQ(code, undone_alone(mode) ? "" : "rolled_back");
    expect(undone_alone(mode) ? Rows{1, 3} : Rows{});
  }

  std::unique_ptr<EndlessDatabase> database_ = GetParam()->make();
  Pool pool_{{.name = "endless", .maintain_every = {}}, database_->driver()};
  Session session_{{.routes = {{"all", &pool_, {}}}}};
  const Scope scope_{{.name = "a test"}};
};

// What the transaction did is gone; what ran outside one is there. The connection stays of use.
TEST_P(RunningStatement, EndsByAStop) {
  for (const auto mode : {P::required, P::supports}) {
    std::stop_source stop;
    const auto code = code_of([&] {
      session_.transaction({.propagation = mode, .stop = stop.get_token()}, [&] {
        insert(2);
        insert_without_end(stop);
      });
    });
    EXPECT_EQ(code, "sql.cancelled");
    expect(mode == P::supports ? Rows{2} : Rows{});
  }
}

TEST_P(RunningStatement, OfACallInsideEndsByThatCallsOwnStop) {
  for (const auto mode : {P::required, P::mandatory, P::supports, P::nested}) {
    SCOPED_TRACE(static_cast<int>(mode));
    std::stop_source stop;
    const auto inner = [&] {
      return code_of([&] {
        session_.transaction({.propagation = mode, .stop = stop.get_token()}, [&] {
          insert(2);
          insert_without_end(stop);
        });
      });
    };
    expect_end_of(mode, around(mode, inner, "sql.cancelled"));
  }
}

TEST_P(RunningStatement, OfACallInsideEndsByThatCallsOwnDeadline) {
  constexpr std::chrono::milliseconds kShort{40};
  for (const auto mode : {P::required, P::mandatory, P::supports, P::nested}) {
    SCOPED_TRACE(static_cast<int>(mode));
    const auto inner = [&] {
      return code_of([&] {
        session_.transaction({.propagation = mode, .deadline = kShort},
                             [&] { session_.execute(database_->endless_insert()); });
      });
    };
    expect_end_of(mode, around(mode, inner, "sql.deadline"));
  }
}

}  // namespace carrel::test
