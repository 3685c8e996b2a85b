// The end of a transaction: commit, rollback, doubt, deadlines. Retries: retry_test.cpp.
#include <new>
#include <thread>

#include "session/stub_session.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

using Transaction = LoggedSession;

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

TEST_F(Transaction, ANestedCallInsideOneThatWillRollBackTakesNoStatementEither) {
  session_.transaction([&] {
    session_.execute("before");
    session_.set_rollback_only();
    EXPECT_EQ(code_of([&] {
                session_.transaction({.propagation = Propagation::nested},
                                     [&] { session_.execute("late"); });
              }),
              "rollback_only");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 before", "1 rollback"}));
}

// Who asked for it knows; a call that fails then tells its caller nothing new.
TEST_F(Transaction, ThatWasAskedToRollBackDoesSoWithoutAnErrorWhateverFailsInside) {
  session_.transaction([&] {
    session_.execute("work");
    session_.set_rollback_only();
    EXPECT_EQ(code_of([&] { session_.transaction([] { throw Error("invalid", "no"); }); }),
              "invalid");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 rollback"}));
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

// Such an exception is thrown on; but what was to roll back does.
TEST_F(Transaction, ANestedCallThatWillRollBackDoesSoWhateverItThrows) {
  const TransactionOptions options{.propagation = Propagation::nested,
                                   .commits_on = commits_on<std::out_of_range>};
  session_.transaction([&] {
    EXPECT_THROW(session_.transaction(options,
                                      [&] {
                                        session_.execute("undone");
                                        session_.set_rollback_only();
                                        throw std::out_of_range("limit reached");
                                      }),
                 std::out_of_range);
    session_.execute("kept");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 savepoint carrel_1", "1 undone",
                           "1 rollback to savepoint carrel_1", "1 release savepoint carrel_1",
                           "1 kept", "1 commit"}));
}

TEST_F(Transaction, PassesReadOnlyAndDeferrableOn) {
  session_.transaction({.read_only = true}, [&] { session_.execute("select"); });
  EXPECT_EQ(sent(), (Diary{"1 begin read only", "1 select", "1 commit"}));
  session_.transaction(
      {.isolation = Isolation::serializable, .read_only = true, .deferrable = true},
      [&] { session_.execute("select"); });
  EXPECT_EQ(sent(), (Diary{"1 begin serializable read only deferrable", "1 select", "1 commit"}));
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

TEST_F(Transaction, SendsNothingAboutASavepointThatIsGoneWithTheWhole) {
  for (const bool fails : {false, true}) {
    driver_.at(StubPoint::execute, [] { throw transaction_gone(); });
    const auto nested = [&] {
      EXPECT_EQ(code_of([&] { session_.execute("inner"); }), "sql.transaction_lost");
      if (fails) throw Error("invalid", "no");
    };
    const auto whole = [&] {
      session_.transaction([&] {
        EXPECT_EQ(
            code_of([&] { session_.transaction({.propagation = Propagation::nested}, nested); }),
            fails ? "invalid" : "");
      });
    };
    EXPECT_EQ(code_of(whole), fails ? "rolled_back" : "sql.transaction_lost");
    EXPECT_EQ(sent(), (Diary{"1 begin", "1 savepoint carrel_1", "1 inner"}));
  }
}

TEST_F(Transaction, TellsWhenAStatementThatSucceededEndedIt) {
  const auto code = code_of([&] {
    session_.transaction([&] {
      EXPECT_EQ(code_of([&] { session_.execute(StubConnection::kEndsTransaction); }),
                "sql.transaction_lost");
    });
  });
  EXPECT_EQ(code, "sql.transaction_lost");
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
