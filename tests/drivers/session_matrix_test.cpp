// Seven propagation modes, inside and outside a transaction, with every ending, on the three real
// databases; and all of it again with a single connection.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "carrel/drivers/sqlite.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "db/temporary_folder.h"
#include "drivers/errors.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

enum class Ending { success, throws, rollback_only };

using Rows = std::vector<int>;
using Param = std::tuple<std::string, std::size_t>;  // database, connections

struct Declined {};

class SessionMatrix : public testing::TestWithParam<Param> {
 protected:
  SessionMatrix() : driver_(make_driver(std::get<0>(GetParam()))) {
    driver_->connect({})->execute("drop table if exists item");
    driver_->connect({})->execute("create table item (id bigint primary key)");
    pool_.emplace(PoolOptions{.name = "matrix",
                              .size_max = std::get<1>(GetParam()),
                              .acquire_max = std::chrono::seconds(60),
                              .label = scope_label,
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(SessionOptions{.routes = {{"all", &*pool_, {{"item", "item"}}}}});
  }

  std::unique_ptr<Driver> make_driver(const std::string& database) {
    if (database == "Sqlite") return sqlite_driver({.file = folder_ / "matrix.db"});
    if (database == "Postgres") return postgres_driver(postgres_options());
    return mariadb_driver(mariadb_options());
  }
  // Whether a second transaction may write while the first has written.
  [[nodiscard]] bool gives_a_second_writer() const {
    return std::get<1>(GetParam()) > 1 && std::get<0>(GetParam()) != "Sqlite";
  }
  void insert(int id) { session_->execute("insert into {item} values ($1)", id); }
  Rows rows() {
    Rows ids;
    for (const Row row : session_->execute("select id from {item} order by id"))
      ids.push_back(row.get<int>(0));
    return ids;
  }

  // Inserts 2 in a call of the mode, and ends it; says what the call threw.
  std::string call(Propagation mode, Ending ending) {
    try {
      return thrown_by([&] {
        session_->transaction({.propagation = mode}, [&] {
          insert(2);
          if (ending == Ending::throws) throw Declined();
          if (ending == Ending::rollback_only) session_->set_rollback_only();
        });
      });
    } catch (const Declined&) {
      return "declined";
    }
  }
  // The same inside a transaction that has inserted 1, and goes on whatever the call threw.
  std::string call_inside(Propagation mode, Ending ending) {
    return thrown_by([&] {
      session_->transaction([&] {
        insert(1);
        inner_ = call(mode, ending);
      });
    });
  }
  // Every ending leaves the pool whole and the session without a transaction.
  void expect(const Rows& expected, const std::string& what) {
    EXPECT_FALSE(session_->in_transaction()) << what;
    EXPECT_EQ(rows(), expected) << what;
    EXPECT_EQ(pool_->stats().active, 0U) << what;
    session_->execute("delete from {item}");
  }

  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
  std::string inner_;
};

constexpr std::array kEndings = {Ending::success, Ending::throws, Ending::rollback_only};

TEST_P(SessionMatrix, ModesThatBeginCommitOnSuccessOnly) {
  for (const auto mode : {Propagation::required, Propagation::requires_new, Propagation::nested}) {
    for (const auto ending : kEndings) {
      const auto thrown = call(mode, ending);
      EXPECT_EQ(thrown, ending == Ending::throws ? "declined" : "nothing");
      expect(ending == Ending::success ? Rows{2} : Rows{}, "outside");
    }
  }
}

TEST_P(SessionMatrix, ModesWithoutATransactionKeepWhatWasDone) {
  for (const auto mode : {Propagation::supports, Propagation::not_supported, Propagation::never}) {
    for (const auto ending : kEndings) {
      const auto thrown = call(mode, ending);
      EXPECT_EQ(thrown, ending == Ending::throws          ? "declined"
                        : ending == Ending::rollback_only ? "no_transaction"
                                                          : "nothing");
      expect({2}, "outside");
    }
  }
}

TEST_P(SessionMatrix, MandatoryOutsideAndNeverInsideAreRefused) {
  for (const auto ending : kEndings) {
    EXPECT_EQ(call(Propagation::mandatory, ending), "no_transaction");
    expect({}, "mandatory");
    EXPECT_EQ(call_inside(Propagation::never, ending), "nothing");
    EXPECT_EQ(inner_, "transaction_exists");
    expect({1}, "never");
  }
}

TEST_P(SessionMatrix, ACallThatJoinsSharesTheFateOfTheWhole) {
  for (const auto mode : {Propagation::required, Propagation::supports, Propagation::mandatory}) {
    EXPECT_EQ(call_inside(mode, Ending::success), "nothing");
    expect({1, 2}, "success");
    EXPECT_EQ(call_inside(mode, Ending::throws), "rolled_back");
    expect({}, "throws");
    EXPECT_EQ(call_inside(mode, Ending::rollback_only), "nothing");
    expect({}, "rollback only");
  }
}

TEST_P(SessionMatrix, ANestedCallIsUndoneAlone) {
  for (const auto ending : kEndings) {
    EXPECT_EQ(call_inside(Propagation::nested, ending), "nothing");
    expect(ending == Ending::success ? Rows{1, 2} : Rows{1}, "nested");
  }
}

TEST_P(SessionMatrix, ASecondTransactionEndsByItselfOrIsRefusedWhereItCouldNeverBegin) {
  for (const auto ending : kEndings) {
    EXPECT_EQ(call_inside(Propagation::requires_new, ending), "nothing");
    EXPECT_EQ(inner_ == "would_deadlock", !gives_a_second_writer()) << inner_;
    const bool stands = gives_a_second_writer() && ending == Ending::success;
    expect(stands ? Rows{1, 2} : Rows{1}, "requires_new");
  }
}

TEST_P(SessionMatrix, WorkOutsideTheTransactionStandsOrIsRefusedWhereItCouldNeverRun) {
  for (const auto ending : kEndings) {
    EXPECT_EQ(call_inside(Propagation::not_supported, ending), "nothing");
    EXPECT_EQ(inner_ == "would_deadlock", !gives_a_second_writer()) << inner_;
    expect(gives_a_second_writer() ? Rows{1, 2} : Rows{1}, "not_supported");
  }
}

TEST_P(SessionMatrix, ACallThatSaidReadOnlyDoesNotWriteInATransactionThatMay) {
  for (const auto mode : {Propagation::required, Propagation::supports, Propagation::mandatory,
                          Propagation::nested}) {
    session_->transaction([&] {
      insert(1);
      session_->transaction({.propagation = mode, .read_only = true}, [&] {
        EXPECT_EQ(rows(), Rows{1});
        EXPECT_EQ(thrown_by([&] { insert(2); }), "read_only_mismatch");
      });
      insert(3);
    });
    expect({1, 3}, "joined");
  }
}

TEST_P(SessionMatrix, WhatIsPartOfAReadOnlyTransactionReadsAndIsRefusedItsWrites) {
  insert(1);
  for (const auto mode : {Propagation::required, Propagation::supports, Propagation::mandatory,
                          Propagation::nested}) {
    for (const bool says_so : {false, true}) {
      session_->transaction({.read_only = true}, [&] {
        session_->transaction({.propagation = mode, .read_only = says_so},
                              [&] { EXPECT_EQ(rows(), Rows{1}); });
      });
      const auto writes = [&] {
        session_->transaction({.read_only = true}, [&] {
          session_->transaction({.propagation = mode, .read_only = says_so}, [&] { insert(2); });
        });
      };
      EXPECT_EQ(thrown_by(writes), "sql.read_only");
    }
  }
  expect({1}, "read only");
}

// Also where the second transaction is refused: what was put aside is what it was.
TEST_P(SessionMatrix, SuspendingRestoresTheSnapshotAndTheReadOnlyMark) {
  const TransactionOptions outer{.isolation = Isolation::repeatable_read, .read_only = true};
  for (const auto mode : {Propagation::requires_new, Propagation::not_supported}) {
    insert(1);
    const auto transact = [&] {
      session_->transaction(outer, [&] {
        EXPECT_EQ(rows(), Rows{1});
        EXPECT_EQ(call(mode, Ending::success),
                  std::get<1>(GetParam()) > 1 ? "nothing" : "would_deadlock");
        EXPECT_TRUE(session_->in_transaction());
        EXPECT_EQ(rows(), Rows{1});
        insert(3);
      });
    };
    EXPECT_EQ(thrown_by(transact), "sql.read_only");
    expect(std::get<1>(GetParam()) > 1 ? Rows{1, 2} : Rows{1}, "suspended");
  }
}

// Rows are read after the statement has ended, so that whatever they meet is the closure's affair.
TEST_P(SessionMatrix, ARowMapperThatThrowsRollsBackAndTheConnectionStaysOfUse) {
  struct Two {
    int id;
    int other;
  };
  insert(1);
  const auto opened = pool_->stats().created;
  const auto reading = [&](const auto& read) {
    return [&, read] {
      session_->transaction([&] {
        insert(2);
        insert(3);
        read(session_->execute("select id from {item} order by id"));
      });
    };
  };
  int seen = 0;
  EXPECT_THROW(reading([&](const Result& result) {
                 for (const Row row : result) {
                   if (row.get<int>(0) == 2) throw Declined();
                   ++seen;
                 }
               })(),
               Declined);
  EXPECT_EQ(seen, 1);
  EXPECT_EQ(thrown_by(reading([](const Result& result) { static_cast<void>(result.to<Two>()); })),
            "sql.unexpected_columns");
  EXPECT_EQ(thrown_by(reading([](const Result& result) {
              for (const Row row : result) static_cast<void>(row.get<Timestamp>("none"));
            })),
            "sql.no_column");
  EXPECT_EQ(pool_->stats().created, opened);
  EXPECT_EQ(pool_->stats().closed_broken, 0U);
  expect({1}, "row mapper");
}

TEST_P(SessionMatrix, AReadOnlyCallWithoutATransactionReadsAndIsRefusedItsWrites) {
  insert(1);
  for (const auto mode : {Propagation::supports, Propagation::not_supported, Propagation::never}) {
    session_->transaction({.propagation = mode, .read_only = true}, [&] {
      EXPECT_EQ(rows(), Rows{1});
      EXPECT_EQ(thrown_by([&] { insert(2); }), "read_only_mismatch");
      EXPECT_EQ(thrown_by([&] { session_->transaction([&] { insert(2); }); }), "sql.read_only");
    });
  }
  expect({1}, "read only");
}

INSTANTIATE_TEST_SUITE_P(Databases, SessionMatrix,
                         testing::Combine(testing::Values("Sqlite", "Postgres", "Mariadb"),
                                          testing::Values(std::size_t{1}, std::size_t{4})),
                         [](const auto& instance) {
                           return std::get<0>(instance.param) + "With" +
                                  std::to_string(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace carrel::test
