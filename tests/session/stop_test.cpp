// TransactionOptions::stop: how a transaction is ended from outside.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "carrel/drivers/sqlite.h"
#include "db/temporary_folder.h"
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

// The stop is asked for once the statement runs, which shows in the log file that it fills.
TEST(StopOnSqlite, ARunningStatementEndsAndTheConnectionStaysOfUse) {
  for (const auto mode : {Propagation::required, Propagation::supports}) {
    const TemporaryFolder folder;
    const auto driver = sqlite_driver({.file = folder / "a.db"});
    Pool pool({.name = "a"}, *driver);
    Session session({.routes = {{"a", &pool, {}}}});
    const Scope scope({.name = "a test"});
    session.execute("create table t (x)");
    const auto logged = [&] { return std::filesystem::file_size(folder / "a.db-wal"); };
    std::stop_source stop;
    std::atomic<bool> over{false};
    std::thread asker;
    EXPECT_EQ(code_of([&] {
                session.transaction({.propagation = mode, .stop = stop.get_token()}, [&] {
                  session.execute("insert into t values (1)");
                  asker = std::thread([&, before = logged()] {
                    while (!over && logged() <= before) std::this_thread::yield();
                    EXPECT_FALSE(over);
                    stop.request_stop();
                  });
                  session.execute(
                      "insert into t with recursive c(x) as "
                      "(select 1 union all select x + 1 from c) select zeroblob(1000) from c");
                });
              }),
              "sql.cancelled");
    over = true;
    asker.join();
    // What the transaction did is gone; what ran outside one is there.
    EXPECT_EQ(session.execute("select count(*) from t").one().get<int>(0),
              mode == Propagation::supports ? 1 : 0);
    EXPECT_EQ(pool.stats().closed_broken, 0U);
  }
}

}  // namespace
}  // namespace carrel::test
