// Seven modes, inside a transaction and outside, whatever happens.
#include "session/stub_session.h"

namespace carrel::test {
namespace {

using P = Propagation;

enum class Event { success, thrown, rollback_only, refused, begin_fails, commit_fails };

struct Refusal {
  bool no = false;
};
bool rolls_back(const Refusal& refusal) {
  return refusal.no;
}

struct Case {
  P mode;
  bool inside;  // a transaction of the caller's
  Event event;
  std::string code;  // of what leaves the outermost call
  Diary sent;
};

class Propagations : public StubSession {
 protected:
  void inner(P mode, Event event) {
    if (event == Event::begin_fails) driver_.at(StubPoint::begin, [] { throw server_away(); });
    if (event == Event::commit_fails)
      driver_.at(StubPoint::commit, [] { throw refused_at_commit(); });
    session_.transaction({.propagation = mode}, [&] {
      session_.execute("inner");
      if (event == Event::thrown) throw Error("thrown", "by the closure");
      if (event == Event::rollback_only) session_.set_rollback_only();
      return Refusal{event == Event::refused};
    });
  }

  void run(const Case& example) {
    if (!example.inside) return inner(example.mode, example.event);
    session_.transaction([&] {
      session_.execute("outer");
      inner(example.mode, example.event);
    });
  }
};

// clang-format off
const Case kCases[] = {
  // joining or beginning
  {P::required, false, Event::success, "", {"1 begin", "1 inner", "1 commit"}},
  {P::required, false, Event::thrown, "thrown", {"1 begin", "1 inner", "1 rollback"}},
  {P::required, false, Event::rollback_only, "", {"1 begin", "1 inner", "1 rollback"}},
  {P::required, false, Event::refused, "", {"1 begin", "1 inner", "1 rollback"}},
  {P::required, false, Event::begin_fails, "sql.cannot_connect", {"1 begin"}},
  {P::required, false, Event::commit_fails, "sql.rolled_back", {"1 begin", "1 inner", "1 commit"}},
  {P::required, true, Event::success, "", {"1 begin", "1 outer", "1 inner", "1 commit"}},
  {P::required, true, Event::thrown, "thrown", {"1 begin", "1 outer", "1 inner", "1 rollback"}},
  {P::required, true, Event::rollback_only, "", {"1 begin", "1 outer", "1 inner", "1 rollback"}},
  {P::required, true, Event::refused, "rolled_back", {"1 begin", "1 outer", "1 inner", "1 rollback"}},
  {P::required, true, Event::commit_fails, "sql.rolled_back", {"1 begin", "1 outer", "1 inner", "1 commit"}},
  // always its own
  {P::requires_new, false, Event::success, "", {"1 begin", "1 inner", "1 commit"}},
  {P::requires_new, false, Event::thrown, "thrown", {"1 begin", "1 inner", "1 rollback"}},
  {P::requires_new, true, Event::success, "", {"1 begin", "1 outer", "2 begin", "2 inner", "2 commit", "1 commit"}},
  {P::requires_new, true, Event::thrown, "thrown", {"1 begin", "1 outer", "2 begin", "2 inner", "2 rollback", "1 rollback"}},
  {P::requires_new, true, Event::rollback_only, "", {"1 begin", "1 outer", "2 begin", "2 inner", "2 rollback", "1 commit"}},
  {P::requires_new, true, Event::refused, "", {"1 begin", "1 outer", "2 begin", "2 inner", "2 rollback", "1 commit"}},
  {P::requires_new, true, Event::commit_fails, "sql.rolled_back", {"1 begin", "1 outer", "2 begin", "2 inner", "2 commit", "1 rollback"}},
  // a savepoint
  {P::nested, false, Event::success, "", {"1 begin", "1 inner", "1 commit"}},
  {P::nested, false, Event::thrown, "thrown", {"1 begin", "1 inner", "1 rollback"}},
  {P::nested, true, Event::success, "", {"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner", "1 release savepoint carrel_1", "1 commit"}},
  {P::nested, true, Event::thrown, "thrown", {"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner", "1 rollback to savepoint carrel_1", "1 release savepoint carrel_1", "1 rollback"}},
  {P::nested, true, Event::rollback_only, "", {"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner", "1 rollback to savepoint carrel_1", "1 release savepoint carrel_1", "1 commit"}},
  {P::nested, true, Event::refused, "", {"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner", "1 rollback to savepoint carrel_1", "1 release savepoint carrel_1", "1 commit"}},
  // as the caller does
  {P::supports, false, Event::success, "", {"1 inner"}},
  {P::supports, false, Event::thrown, "thrown", {"1 inner"}},
  {P::supports, false, Event::rollback_only, "no_transaction", {"1 inner"}},
  {P::supports, true, Event::success, "", {"1 begin", "1 outer", "1 inner", "1 commit"}},
  {P::supports, true, Event::thrown, "thrown", {"1 begin", "1 outer", "1 inner", "1 rollback"}},
  // without one
  {P::not_supported, false, Event::success, "", {"1 inner"}},
  {P::not_supported, true, Event::success, "", {"1 begin", "1 outer", "2 inner", "1 commit"}},
  {P::not_supported, true, Event::thrown, "thrown", {"1 begin", "1 outer", "2 inner", "1 rollback"}},
  {P::not_supported, true, Event::rollback_only, "no_transaction", {"1 begin", "1 outer", "2 inner", "1 rollback"}},
  // only with one
  {P::mandatory, false, Event::success, "no_transaction", {}},
  {P::mandatory, true, Event::success, "", {"1 begin", "1 outer", "1 inner", "1 commit"}},
  {P::mandatory, true, Event::thrown, "thrown", {"1 begin", "1 outer", "1 inner", "1 rollback"}},
  // only without one
  {P::never, false, Event::success, "", {"1 inner"}},
  {P::never, true, Event::success, "transaction_exists", {"1 begin", "1 outer", "1 rollback"}},
};
// clang-format on

TEST_F(Propagations, DoWhatTheirNamesSayWhateverHappens) {
  int number = 0;
  for (const auto& example : kCases) {
    SCOPED_TRACE("case " + std::to_string(number++) + ", mode " +
                 std::to_string(static_cast<int>(example.mode)) +
                 (example.inside ? ", inside" : ", outside") + ", event " +
                 std::to_string(static_cast<int>(example.event)));
    EXPECT_EQ(code_of([&] { run(example); }), example.code);
    EXPECT_EQ(sent(), example.sent);
    EXPECT_FALSE(session_.in_transaction());
    EXPECT_EQ(consumer_pool_.stats().active, 0U);
  }
}

TEST_F(Propagations, AnInnerFailureThatIsCaughtStillRollsBackTheWhole) {
  const auto code = code_of([&] {
    session_.transaction([&] {
      session_.execute("outer");
      EXPECT_EQ(code_of([&] { inner(P::required, Event::thrown); }), "thrown");
    });
  });
  EXPECT_EQ(code, "rolled_back");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 inner", "1 rollback"}));
}

TEST_F(Propagations, ANestedFailureThatIsCaughtUndoesOnlyItself) {
  session_.transaction([&] {
    session_.execute("outer");
    EXPECT_EQ(code_of([&] { inner(P::nested, Event::thrown); }), "thrown");
    session_.execute("after");
  });
  EXPECT_EQ(sent().back(), "1 commit");
}

TEST_F(Propagations, ADoomedCallThatJoinedASavepointDoomsOnlyTheSavepoint) {
  session_.transaction([&] {
    session_.execute("outer");
    EXPECT_EQ(code_of([&] {
                session_.transaction({.propagation = P::nested}, [&] {
                  EXPECT_EQ(code_of([&] { inner(P::required, Event::thrown); }), "thrown");
                });
              }),
              "rolled_back");
    session_.execute("after");
  });
  EXPECT_EQ(sent().back(), "1 commit");
}

TEST_F(Propagations, ASavepointThatCannotBeUndoneDoomsTheWhole) {
  driver_.at(StubPoint::savepoint, [] {});
  driver_.at(StubPoint::savepoint, [] { throw server_away(); });
  const auto code = code_of([&] {
    session_.transaction([&] {
      session_.execute("outer");
      EXPECT_EQ(code_of([&] { inner(P::nested, Event::thrown); }), "thrown");
      session_.execute("after");
    });
  });
  EXPECT_EQ(code, "rollback_only");
}

TEST_F(Propagations, SuspendingRestoresTheOuterTransactionOnEveryPath) {
  for (const auto mode : {P::requires_new, P::not_supported}) {
    session_.transaction([&] {
      session_.execute("outer");
      EXPECT_EQ(code_of([&] { inner(mode, Event::thrown); }), "thrown");
      EXPECT_TRUE(session_.in_transaction());
      session_.execute("after");
    });
    const auto diary = sent();
    EXPECT_EQ(diary[diary.size() - 2], "1 after");
    EXPECT_EQ(diary.back(), "1 commit");
  }
}

// Also what it has not used yet: it begins afterwards, as it was asked to.
TEST_F(Propagations, SuspendingRestoresIsolationReadOnlyDeadlineAndHooks) {
  using namespace std::chrono_literals;
  const TransactionOptions outer{
      .isolation = Isolation::serializable, .read_only = true, .deadline = 1h};
  for (const auto mode : {P::requires_new, P::not_supported}) {
    for (const auto event : {Event::success, Event::thrown}) {
      std::vector<std::string> log;
      session_.transaction(outer, [&] {
        Clock::Steady inner_deadline;
        const auto aside = [&] {
          session_.execute("insert");
          inner_deadline = driver_.deadline_at(StubPoint::execute);
          if (session_.in_transaction())
            session_.after_completion([&](Outcome) { log.emplace_back("inner"); });
          if (event == Event::thrown) throw Error("thrown", "by the closure");
        };
        EXPECT_EQ(
            code_of([&] { session_.transaction({.propagation = mode, .deadline = 30min}, aside); }),
            event == Event::thrown ? "thrown" : "");
        EXPECT_EQ(log.size(), mode == P::requires_new ? 1U : 0U);
        session_.after_completion([&](Outcome) { log.emplace_back("outer"); });
        session_.execute("select");
        EXPECT_GT(driver_.deadline_at(StubPoint::execute), inner_deadline);
        EXPECT_NE(driver_.deadline_at(StubPoint::execute), kNoDeadline);
        session_.transaction({.isolation = Isolation::serializable}, [] {});
      });
      EXPECT_EQ(log.back(), "outer");
      auto diary = sent();
      ASSERT_GT(diary.size(), 3U);
      diary.erase(diary.begin(), diary.end() - 3);
      EXPECT_EQ(diary, (Diary{"1 begin serializable read only", "1 select", "1 commit"}));
    }
  }
}

TEST_F(Propagations, EachOfTwoNestedCallsHasASavepointOfItsOwn) {
  session_.transaction([&] {
    session_.transaction({.propagation = P::nested}, [&] { session_.execute("first"); });
    session_.transaction({.propagation = P::nested}, [&] {
      session_.execute("second");
      session_.set_rollback_only();
    });
  });
  EXPECT_EQ(sent(),
            (Diary{"1 begin", "1 savepoint carrel_1", "1 first", "1 release savepoint carrel_1",
                   "1 savepoint carrel_1", "1 second", "1 rollback to savepoint carrel_1",
                   "1 release savepoint carrel_1", "1 commit"}));
}

// Everybody between it and the transaction is told, since nothing of theirs will stay either.
TEST_F(Propagations, ASavepointInASavepointThatCannotBeUndoneDoomsBoth) {
  driver_.at(StubPoint::savepoint, [] {}, 2);
  driver_.at(StubPoint::savepoint, [] { throw SqlError("sql.deadline", {}); });
  const auto whole = [&] {
    session_.transaction([&] {
      session_.execute("outer");
      EXPECT_EQ(code_of([&] {
                  session_.transaction({.propagation = P::nested}, [&] {
                    session_.execute("middle");
                    session_.transaction({.propagation = P::nested}, [&] {
                      session_.execute("inner");
                      session_.set_rollback_only();
                    });
                  });
                }),
                "rolled_back");
    });
  };
  EXPECT_EQ(code_of(whole), "rolled_back");
  EXPECT_EQ(sent().back(), "1 rollback");
}

// A savepoint has no isolation of its own either. Less than what there is would do, but who names
// one relies on how it behaves: there is no order that holds for all databases.
TEST_F(Propagations, AnotherIsolationThanTheTransactionsIsRefused) {
  for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
    const TransactionOptions less{.propagation = mode, .isolation = Isolation::read_committed};
    EXPECT_EQ(code_of([&] {
                session_.transaction({.isolation = Isolation::serializable}, [&] {
                  session_.transaction(less, [] { ADD_FAILURE() << "ran"; });
                });
              }),
              "isolation_mismatch");
    const TransactionOptions other{.propagation = mode, .isolation = Isolation::serializable};
    EXPECT_EQ(code_of([&] {
                session_.transaction(
                    [&] { session_.transaction(other, [] { ADD_FAILURE() << "ran"; }); });
              }),
              "isolation_mismatch");
    session_.transaction({.isolation = Isolation::serializable}, [&] {
      session_.transaction(other, [] {});
      session_.transaction({.propagation = mode}, [] {});
    });
  }
}

TEST_F(OneConnection, WhatNeedsASecondConnectionIsRefusedAndNeverHangs) {
  for (const auto mode : {P::requires_new, P::not_supported}) {
    const auto code = code_of([&] {
      session_.transaction([&] {
        session_.execute("outer");
        session_.transaction({.propagation = mode}, [&] { session_.execute("inner"); });
      });
    });
    EXPECT_EQ(code, "would_deadlock");
    EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 rollback"}));
  }
}

TEST_F(OneConnection, AnOuterTransactionThatHasRunNothingNeedsNoConnection) {
  session_.transaction([&] {
    session_.transaction({.propagation = P::requires_new}, [&] { session_.execute("inner"); });
    session_.execute("outer");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 inner", "1 commit", "1 begin", "1 outer", "1 commit"}));
}

}  // namespace
}  // namespace carrel::test
