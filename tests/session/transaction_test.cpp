// The end of a transaction: commit, rollback, doubt, retries, hooks, deadlines.
#include <new>

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

TEST_F(Transaction, HooksRunInOrderAroundTheCommit) {
  session_.transaction([&] {
    session_.after_completion(
        [&](Outcome outcome) { log(outcome == Outcome::committed ? "completed" : "wrong"); });
    session_.after_commit(logging("after commit"));
    session_.after_rollback(logging("after rollback"));
    session_.before_commit([&] {
      log("before commit");
      session_.execute("from a hook");
      session_.before_commit(logging("before commit, late"));
    });
    session_.execute("work");
  });
  EXPECT_EQ(log_, (Log{"before commit", "before commit, late", "completed", "after commit"}));
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 from a hook", "1 commit"}));
}

TEST_F(Transaction, HooksAfterTheEndFindTheConnectionReturnedAndNoTransaction) {
  session_.transaction([&] {
    session_.execute("work");
    session_.after_commit([&] {
      EXPECT_FALSE(session_.in_transaction());
      EXPECT_EQ(consumer_pool_.stats().active, 0U);
      session_.after_commit(logging("registered by a hook"));
      session_.execute("alone");
    });
  });
  EXPECT_EQ(log_, (Log{"registered by a hook"}));
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 commit", "1 alone"}));
}

TEST_F(Transaction, AHookBeforeTheCommitMayPreventIt) {
  EXPECT_EQ(code_of([&] {
              session_.transaction([&] {
                session_.after_rollback(logging("rolled back"));
                session_.before_commit([] { throw Error("invalid", "sums differ"); });
                session_.execute("work");
              });
            }),
            "invalid");
  EXPECT_EQ(sent().back(), "1 rollback");
  EXPECT_EQ(log_, (Log{"rolled back"}));
}

TEST_F(Transaction, WhatAHookAfterTheEndThrowsChangesNothing) {
  session_.transaction([&] {
    session_.after_commit([] { throw std::runtime_error("mail server away"); });
    session_.after_commit(logging("the next one"));
    session_.execute("work");
  });
  EXPECT_EQ(hook_errors_, (Log{"mail server away"}));
  EXPECT_EQ(log_, (Log{"the next one"}));
}

TEST_F(Transaction, HooksOfASavepointShareItsFate) {
  session_.transaction([&] {
    session_.execute("outer");
    session_.after_commit(logging("outer committed"));
    session_.transaction({.propagation = Propagation::nested}, [&] {
      session_.execute("inner");
      session_.after_commit(logging("never"));
      session_.after_rollback(logging("inner rolled back"));
      session_.set_rollback_only();
    });
    EXPECT_EQ(log_, Log());  // not before the connection is back
  });
  EXPECT_EQ(log_, (Log{"outer committed", "inner rolled back"}));
}

TEST_F(Transaction, HooksNeedATransaction) {
  EXPECT_EQ(code_of([&] { session_.after_commit([] {}); }), "no_transaction");
  EXPECT_EQ(code_of([&] { session_.set_rollback_only(); }), "no_transaction");
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
