// The end of a transaction: commit, rollback, doubt, retries, hooks, deadlines.
#include <new>
#include <thread>

#include "session/stub_session.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

class Transaction : public StubSession {
 protected:
  void log(std::string entry) { log_.push_back(std::move(entry)); }
  [[nodiscard]] std::function<void()> logging(std::string entry) {
    return [this, entry = std::move(entry)] { log(entry); };
  }
  std::vector<std::string> log_;
};
using Log = std::vector<std::string>;

TEST_F(Transaction, GivesBackWhatTheClosureReturns) {
  EXPECT_EQ(session_.transaction([] { return std::string("value"); }), "value");
  const auto moved = session_.transaction([] { return std::make_unique<int>(7); });
  EXPECT_EQ(*moved, 7);
}

TEST_F(Transaction, TakesNoConnectionBeforeItsFirstStatement) {
  session_.transaction([&] { EXPECT_EQ(consumer_pool_.stats().active, 0U); });
  EXPECT_EQ(sent(), Diary());
}

TEST_F(Transaction, KeepsItsConnectionBetweenStatements) {
  session_.transaction([&] {
    session_.execute("first");
    EXPECT_EQ(consumer_pool_.stats().active, 1U);
    session_.execute("second");
  });
  EXPECT_EQ(consumer_pool_.stats().active, 0U);
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 second", "1 commit"}));
}

TEST_F(Transaction, ReturnsItsConnectionAfterAnExceptionThatIsNoneOfOurs) {
  EXPECT_THROW(session_.transaction([&] {
    session_.execute("first");
    throw 42;
  }),
               int);
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 rollback"}));
  EXPECT_EQ(consumer_pool_.stats().active, 0U);
}

TEST_F(Transaction, TakesNoStatementOnceItWillRollBack) {
  const auto code = code_of([&] {
    session_.transaction([&] {
      session_.set_rollback_only();
      session_.execute("late");
    });
  });
  EXPECT_EQ(code, "rollback_only");
  EXPECT_EQ(sent(), Diary());
}

TEST_F(Transaction, CommitsOnExceptionsThatItIsToldTo) {
  const TransactionOptions options{.commits_on = commits_on<std::out_of_range>};
  EXPECT_THROW(session_.transaction(options,
                                    [&] {
                                      session_.execute("kept");
                                      throw std::out_of_range("limit reached");
                                    }),
               std::out_of_range);
  EXPECT_EQ(sent().back(), "1 commit");
  EXPECT_THROW(session_.transaction(options,
                                    [&] {
                                      session_.execute("undone");
                                      throw std::logic_error("other");
                                    }),
               std::logic_error);
  EXPECT_EQ(sent().back(), "1 rollback");
}

TEST_F(Transaction, PassesReadOnlyOn) {
  session_.transaction({.read_only = true}, [&] { session_.execute("select"); });
  EXPECT_EQ(sent(), (Diary{"1 begin read only", "1 select", "1 commit"}));
}

// A statement on a connection whose BEGIN has failed would commit by itself.
TEST_F(Transaction, WhoGoesOnAfterABeginThatFailedBeginsAnew) {
  driver_.at(StubPoint::begin, [] { throw server_away(); });
  session_.transaction([&] {
    EXPECT_EQ(code_of([&] { session_.execute("first"); }), "sql.cannot_connect");
    session_.execute("second");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 begin", "1 second", "1 commit"}));
}

TEST_F(Transaction, WhoGoesOnAfterASavepointWithoutTimeToBeginBeginsAnew) {
  session_.transaction([&] {
    EXPECT_EQ(code_of([&] {
                session_.transaction({.propagation = Propagation::nested, .deadline = 0ms},
                                     [&] { session_.execute("late"); });
              }),
              "sql.deadline");
    session_.execute("in time");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 in time", "1 commit"}));
}

TEST_F(Transaction, ASavepointThatLosesTheTransactionLosesTheWhole) {
  driver_.at(StubPoint::savepoint, [&] { throw transaction_gone(); });
  EXPECT_EQ(code_of([&] {
              session_.transaction([&] {
                EXPECT_EQ(code_of([&] {
                            session_.transaction({.propagation = Propagation::nested},
                                                 [&] { session_.execute("inner"); });
                          }),
                          "sql.transaction_lost");
                EXPECT_EQ(code_of([&] { session_.execute("after"); }), "sql.transaction_lost");
              });
            }),
            "sql.transaction_lost");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 savepoint carrel_1"}));
}

TEST_F(Transaction, RunsAgainAfterAConflict) {
  driver_.at(StubPoint::execute, [] { throw conflict(); }, 2);
  int runs = 0;
  const int result = session_.transaction({.retry = Retry::conflicts(5)}, [&] {
    ++runs;
    session_.execute("contended");
    return runs;
  });
  EXPECT_EQ(result, 3);
  ASSERT_EQ(pauses_.size(), 2U);
  EXPECT_GE(pauses_[0], 2500us);
  EXPECT_LE(pauses_[1], 10ms);
}

TEST_F(Transaction, RunsAgainAfterAConflictAtCommit) {
  driver_.at(StubPoint::commit, [] { throw conflict(); });
  session_.transaction({.retry = Retry::conflicts(1)}, [&] { session_.execute("contended"); });
  EXPECT_EQ(sent(),
            (Diary{"1 begin", "1 contended", "1 commit", "1 begin", "1 contended", "1 commit"}));
}

TEST_F(Transaction, GivesUpWhenItsRunsAreSpent) {
  driver_.at(StubPoint::execute, [] { throw conflict(); }, 10);
  int runs = 0;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.retry = Retry::conflicts(2)}, [&] {
                ++runs;
                session_.execute("contended");
              });
            }),
            "sql.serialization_failure");
  EXPECT_EQ(runs, 3);
}

// A pause is between the half and the whole of what is asked for.
TEST_F(Transaction, RunsAgainOnlyWhileTheDeadlineLeavesTimeForThePause) {
  const Retry patient{.attempts_max = 5, .first_pause = 2h, .pause_max = 2h};
  for (const auto deadline : {1h, 3h}) {
    pauses_.clear();
    driver_.at(StubPoint::execute, [] { throw conflict(); });
    int runs = 0;
    const auto code = code_of([&] {
      session_.transaction({.deadline = deadline, .retry = patient}, [&] {
        ++runs;
        session_.execute("contended");
      });
    });
    EXPECT_EQ(code, deadline == 1h ? "sql.serialization_failure" : "");
    EXPECT_EQ(runs, deadline == 1h ? 1 : 2);
    EXPECT_EQ(pauses_.size(), deadline == 1h ? 0U : 1U);
  }
}

TEST_F(Transaction, LeavesRunningAgainToTheCallThatBegan) {
  driver_.at(StubPoint::execute, [] { throw conflict(); });
  int inner_runs = 0;
  int outer_runs = 0;
  session_.transaction({.retry = Retry::conflicts(3)}, [&] {
    ++outer_runs;
    session_.transaction({.retry = Retry::conflicts(3)}, [&] {
      ++inner_runs;
      session_.execute("contended");
    });
  });
  EXPECT_EQ(outer_runs, 2);
  EXPECT_EQ(inner_runs, 2);
}

TEST_F(Transaction, NeverRunsAgainWhenInDoubt) {
  driver_.at(StubPoint::commit, [] { throw lost_at_commit(); });
  int runs = 0;
  Outcome outcome = Outcome::committed;
  try {
    session_.transaction({.retry = Retry::conflicts(5)}, [&] {
      ++runs;
      session_.after_completion([&](Outcome end) { outcome = end; });
      session_.after_commit(logging("committed"));
      session_.after_rollback(logging("rolled back"));
      session_.execute("transfer");
    });
    FAIL() << "the doubt was not told";
  } catch (const Error& error) {
    EXPECT_TRUE(error.in_doubt());
  }
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(outcome, Outcome::in_doubt);
  EXPECT_EQ(log_, Log());
  EXPECT_EQ(consumer_pool_.stats().closed_broken, 1U);
}

TEST_F(Transaction, IsInDoubtWhenCommitFailsForAnotherReasonThanTheDatabases) {
  driver_.at(StubPoint::commit, [] { throw std::bad_alloc(); });
  Outcome outcome = Outcome::committed;
  try {
    session_.transaction({.retry = Retry::conflicts(5)}, [&] {
      session_.after_completion([&](Outcome end) { outcome = end; });
      session_.after_rollback(logging("rolled back"));
      session_.execute("transfer");
    });
    FAIL() << "the doubt was not told";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "sql.other");
    EXPECT_TRUE(error.in_doubt());
    EXPECT_FALSE(error.retryable());
  }
  EXPECT_EQ(outcome, Outcome::in_doubt);
  EXPECT_EQ(log_, Log());
}

TEST_F(Transaction, TellsWhenTheDatabaseEndedItItself) {
  driver_.at(StubPoint::execute,
             [] { throw SqlError("sql.transaction_lost", {.message = "disk full"}); });
  std::string later;
  const auto code = code_of([&] {
    session_.transaction([&] {
      EXPECT_EQ(code_of([&] { session_.execute("first"); }), "sql.transaction_lost");
      later = code_of([&] { session_.execute("second"); });
    });
  });
  EXPECT_EQ(later, "sql.transaction_lost");
  EXPECT_EQ(code, "sql.transaction_lost");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first"}));
}

// There is no handle to commit by: a transaction ends where its closure does, and another thread
// does not even see it.
TEST_F(Transaction, AnotherThreadNeitherSeesNorEndsIt) {
  session_.transaction([&] {
    session_.execute("work");
    std::thread([&] {
      EXPECT_FALSE(session_.in_transaction());
      EXPECT_EQ(code_of([&] { session_.execute("no scope"); }), "no_scope");
      EXPECT_EQ(code_of([&] { session_.set_rollback_only(); }), "no_scope");
      const Scope own({.name = "another"});
      book_.set("consumer");
      EXPECT_FALSE(session_.in_transaction());
      EXPECT_EQ(code_of([&] { session_.set_rollback_only(); }), "no_transaction");
      session_.transaction([&] { session_.execute("other work"); });
    }).join();
    session_.execute("more work");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "2 begin", "2 other work", "2 commit",
                           "1 more work", "1 commit"}));
}

// A scope that can go from thread to thread, entered on a second one while the first is inside.
TEST(TransactionDeathTest, AThreadThatFindsItsScopeEnteredByAnotherStopsBeforeItSendsAnything) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  StubDriver driver;
  Pool pool({.name = "pool", .size_max = 2, .maintain_every = {}}, driver);
  Session session({.routes = {{"all", &pool, {}}}});
  const auto transact = [&] {
    const auto scope = Scope::suspended({.name = "shared"});
    const Scope::Entry entry(*scope);
    session.transaction([&] {
      session.execute("work");
      std::thread([&] {
        const Scope::Entry second(*scope);
        static_cast<void>(session.in_transaction());
      }).join();
      session.execute("more work");
    });
  };
  EXPECT_DEATH(transact(), "shared");
}

TEST_F(Transaction, NothingIsSentOnceTheDeadlineHasPassed) {
  EXPECT_EQ(
      code_of([&] { session_.transaction({.deadline = 0ms}, [&] { session_.execute("late"); }); }),
      "sql.deadline");
  EXPECT_EQ(sent(), Diary());
}

TEST_F(Transaction, TheScopesDeadlineHoldsAsWell) {
  const Scope inner({.name = "in a hurry", .deadline = Clock::Steady::clock::now()});
  book_.set("consumer");
  EXPECT_EQ(code_of([&] { session_.transaction([&] { session_.execute("late"); }); }),
            "sql.deadline");
  EXPECT_EQ(code_of([&] { session_.execute("late"); }), "sql.deadline");
}

TEST_F(Transaction, NoCommitIsSentOnceTheDeadlineHasPassed) {
  // Long enough for the statement on a busy machine; waited out by looking at the clock.
  constexpr auto kDeadline = 500ms;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.deadline = kDeadline}, [&] {
                session_.execute("work");
                const auto late = Clock::Steady::clock::now() + kDeadline;
                while (Clock::Steady::clock::now() < late) {
                }
              });
            }),
            "sql.deadline");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 rollback"}));
}

TEST_F(Transaction, ABatchOutsideATransactionIsOneOfItsOwn) {
  const std::string temporary = "text";
  const auto results =
      session_.batch(Batch().add("first", 1, std::string(temporary)).add("second", nullptr));
  EXPECT_EQ(results.size(), 2U);
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 second", "1 commit"}));
  EXPECT_EQ(driver_.round_trips(), 1U);  // COMMIT does not go by itself
}

TEST_F(Transaction, ABatchInsideATransactionIsPartOfIt) {
  session_.transaction([&] {
    session_.batch(Batch().add("first").add("second"));
    session_.set_rollback_only();
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 first", "1 second", "1 rollback"}));
}

}  // namespace
}  // namespace carrel::test
