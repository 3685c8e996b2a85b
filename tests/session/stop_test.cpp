// TransactionOptions::stop: how a transaction is ended from outside.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"
#include "session/stop_contract.h"
#include "session/stub_session.h"

namespace carrel::test {
namespace {

using Stop = StubSession;

TEST_F(Stop, AskedForBeforeTheCallNothingRuns) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(code_of([&] {
              session_.transaction({.stop = stop.get_token()}, [] { ADD_FAILURE() << "ran"; });
            }),
            "sql.cancelled");
  EXPECT_EQ(code_of([&] {
              session_.transaction(
                  {.propagation = Propagation::not_supported, .stop = stop.get_token()},
                  [] { ADD_FAILURE() << "ran"; });
            }),
            "sql.cancelled");
  EXPECT_TRUE(sent().empty());
}

TEST_F(Stop, AskedForBetweenStatementsRollsBack) {
  std::stop_source stop;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.stop = stop.get_token()}, [&] {
                session_.execute("insert");
                stop.request_stop();
              });
            }),
            "sql.cancelled");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert", "1 rollback"}));
}

TEST_F(Stop, HoldsForATransactionInsideAsWell) {
  std::stop_source stop;
  session_.transaction({.propagation = Propagation::supports, .stop = stop.get_token()}, [&] {
    stop.request_stop();
    EXPECT_EQ(code_of([&] { session_.transaction([&] { session_.execute("insert"); }); }),
              "sql.cancelled");
    EXPECT_EQ(code_of([&] { session_.execute("insert"); }), "sql.cancelled");
  });
  session_.execute("insert");  // and ends with the call
  EXPECT_EQ(sent(), (Diary{"1 insert"}));
}

TEST_F(Stop, AnInnerOneIsBesideTheOuterOneAndNotInItsPlace) {
  for (const auto mode : {Propagation::requires_new, Propagation::not_supported}) {
    for (const bool outer_asks : {true, false}) {
      std::stop_source outer;
      std::stop_source inner;
      const auto inside = [&] {
        session_.execute("insert");
        EXPECT_TRUE((outer_asks ? outer : inner).request_stop());
        EXPECT_EQ(code_of([&] { session_.execute("refused"); }), "sql.cancelled");
        EXPECT_EQ(code_of([&] {
                    session_.transaction({.propagation = Propagation::requires_new},
                                         [] { ADD_FAILURE() << "ran"; });
                  }),
                  "sql.cancelled");
      };
      const auto around = [&] {
        const auto code = code_of([&] {
          session_.transaction({.propagation = mode, .stop = inner.get_token()}, inside);
        });
        EXPECT_EQ(code, mode == Propagation::requires_new ? "sql.cancelled" : "");
        session_.execute("last");
      };
      // The inner one ends with its call.
      EXPECT_EQ(code_of([&] { session_.transaction({.stop = outer.get_token()}, around); }),
                outer_asks ? "sql.cancelled" : "");
      const auto diary = sent();
      EXPECT_EQ(std::ranges::count_if(diary, [](const auto& e) { return e.ends_with("refused"); }),
                0);
    }
  }
}

using P = Propagation;

// The outer call has another one, or none: either way what it was given holds for its own extent.
TEST_F(Stop, OfACallThatJoinsHoldsForItsStatementsAndDoomsTheWhole) {
  for (const auto mode : {P::required, P::supports, P::mandatory}) {
    for (const bool around : {false, true}) {
      SCOPED_TRACE(static_cast<int>(mode));
      std::stop_source outer;
      std::stop_source inner;
      const auto join = [&] {
        session_.transaction({.propagation = mode, .stop = inner.get_token()}, [&] {
          session_.execute("inner");
          inner.request_stop();
          EXPECT_EQ(code_of([&] { session_.execute("refused"); }), "sql.cancelled");
          EXPECT_EQ(code_of([&] { session_.batch(Batch().add("refused")); }), "sql.cancelled");
          session_.execute("refused");
        });
      };
      const TransactionOptions options{.stop = around ? outer.get_token() : std::stop_token()};
      const auto whole = [&] {
        session_.transaction(options, [&] {
          session_.execute("outer");
          EXPECT_EQ(code_of(join), "sql.cancelled");
        });
      };
      EXPECT_EQ(code_of(whole), "rolled_back");
      EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 inner", "1 rollback"}));
    }
  }
}

TEST_F(Stop, OfANestedCallUndoesThatCallAndEndsWithIt) {
  std::stop_source stop;
  session_.transaction([&] {
    session_.execute("outer");
    EXPECT_EQ(code_of([&] {
                session_.transaction({.propagation = P::nested, .stop = stop.get_token()}, [&] {
                  session_.execute("inner");
                  stop.request_stop();
                  session_.execute("refused");
                });
              }),
              "sql.cancelled");
    session_.execute("after");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner",
                           "1 rollback to savepoint carrel_1", "1 release savepoint carrel_1",
                           "1 after", "1 commit"}));
}

TEST_F(Stop, OfACallInsideAskedForBeforeItRunsNothingAndLeavesTheOuterTransactionAsItIs) {
  std::stop_source stop;
  stop.request_stop();
  for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
    session_.transaction([&] {
      session_.execute("outer");
      EXPECT_EQ(code_of([&] {
                  session_.transaction({.propagation = mode, .stop = stop.get_token()},
                                       [] { ADD_FAILURE() << "ran"; });
                }),
                "sql.cancelled");
    });
    EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 commit"}));
  }
}

// As with COMMIT, which is not sent then.
TEST_F(Stop, OfACallInsideAskedForBeforeItsEndMakesItFailThoughItHasNoStatementLeft) {
  for (const auto mode : {P::required, P::nested}) {
    std::stop_source stop;
    // What its rule says of exceptions makes no difference.
    const TransactionOptions options{
        .propagation = mode, .commits_on = commits_on<SqlError>, .stop = stop.get_token()};
    const auto whole = [&] {
      session_.transaction([&] {
        session_.execute("outer");
        EXPECT_EQ(code_of([&] {
                    session_.transaction(options, [&] {
                      session_.execute("inner");
                      stop.request_stop();
                    });
                  }),
                  "sql.cancelled");
      });
    };
    EXPECT_EQ(code_of(whole), mode == P::nested ? "" : "rolled_back");
    const auto diary = sent();
    EXPECT_EQ(diary.back(), mode == P::nested ? "1 commit" : "1 rollback");
    EXPECT_EQ(std::ranges::count(diary, "1 rollback to savepoint carrel_1"),
              mode == P::nested ? 1 : 0);
  }
}

TEST_F(Stop, OfTheOuterCallHoldsForOneThatJoinsBesideItsOwn) {
  std::stop_source outer;
  std::stop_source inner;
  const auto whole = [&] {
    session_.transaction({.stop = outer.get_token()}, [&] {
      session_.transaction({.stop = inner.get_token()}, [&] {
        outer.request_stop();
        session_.execute("refused");
      });
    });
  };
  EXPECT_EQ(code_of(whole), "sql.cancelled");
  EXPECT_EQ(sent(), Diary());
}

TEST_F(Stop, IsNotLookedAtByHooks) {
  std::stop_source stop;
  const auto transact = [&] {
    session_.transaction({.stop = stop.get_token()}, [&] {
      session_.after_rollback([&] { session_.execute("note"); });
      stop.request_stop();
    });
  };
  EXPECT_EQ(code_of(transact), "sql.cancelled");
  EXPECT_TRUE(hook_errors_.empty());
  EXPECT_EQ(sent(), (Diary{"1 note"}));
}

TEST_F(Stop, AConflictIsNotRunAgainAfterIt) {
  std::stop_source stop;
  driver_.at(StubPoint::commit, [&] {
    stop.request_stop();
    throw conflict();
  });
  int runs = 0;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.retry = Retry::conflicts(5), .stop = stop.get_token()}, [&] {
                ++runs;
                session_.execute("insert");
              });
            }),
            "sql.cancelled");
  EXPECT_EQ(runs, 1);
}

class SqliteEndless final : public EndlessDatabase {
 public:
  [[nodiscard]] Driver& driver() override { return *driver_; }
  [[nodiscard]] std::string endless_insert() const override {
    // Goes on without filling the disk.
    return "insert into item with recursive n(i) as (select 100 union all select i + 1 from n) "
           "select printf('x%1000d', i) from n where i < 50000";
  }
  // It shows in the log file.
  [[nodiscard]] std::function<bool()> watch() override {
    return [this, before = logged()] { return logged() > before; };
  }

 private:
  [[nodiscard]] std::uintmax_t logged() const {
    return std::filesystem::file_size(folder_ / "a.db-wal");
  }

  TemporaryFolder folder_;
  std::unique_ptr<Driver> driver_ = sqlite_driver({.file = folder_ / "a.db"});
};

const EndlessBackend kSqlite{.name = "Sqlite",
                             .make = [] { return std::make_unique<SqliteEndless>(); },
                             .savepoints_hold = false};

INSTANTIATE_TEST_SUITE_P(Sqlite, RunningStatement, testing::Values(&kSqlite), name_of_endless);

}  // namespace
}  // namespace carrel::test
