// Hooks around the end of a transaction, and the SQL that they run.
#include "session/stub_session.h"

namespace carrel::test {
namespace {

using Hooks = LoggedSession;

TEST_F(Hooks, HooksRunInOrderAroundTheCommit) {
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

TEST_F(Hooks, HooksAfterTheEndFindTheConnectionReturnedAndNoTransaction) {
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

TEST_F(Hooks, AHookBeforeTheCommitTakesASecondConnectionWhereItSaysSo) {
  session_.transaction([&] {
    session_.before_commit([&] {
      session_.transaction([&] { session_.execute("joined"); });
      session_.transaction({.propagation = Propagation::requires_new},
                           [&] { session_.execute("new"); });
      session_.transaction({.propagation = Propagation::not_supported},
                           [&] { session_.execute("alone"); });
    });
    session_.execute("work");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 joined", "2 begin", "2 new", "2 commit",
                           "2 alone", "1 commit"}));
}

// It has ended, and the outer one is not what the hook was registered with.
TEST_F(Hooks, AHookAfterTheEndOfAnInnerTransactionDoesNotJoinTheOuterOne) {
  session_.transaction([&] {
    session_.execute("outer");
    session_.transaction({.propagation = Propagation::requires_new}, [&] {
      session_.after_commit([&] {
        EXPECT_FALSE(session_.in_transaction());
        session_.execute("alone");
        session_.transaction([&] { session_.execute("new"); });
      });
      session_.execute("inner");
    });
    session_.set_rollback_only();
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "2 begin", "2 inner", "2 commit", "2 alone",
                           "2 begin", "2 new", "2 commit", "1 rollback"}));
}

TEST_F(OneConnection, AHookThatNeedsASecondConnectionIsRefusedAndOneAfterTheEndIsServed) {
  EXPECT_EQ(code_of([&] {
              session_.transaction([&] {
                session_.before_commit([&] {
                  session_.transaction({.propagation = Propagation::requires_new},
                                       [&] { session_.execute("new"); });
                });
                session_.after_rollback([&] { session_.execute("after"); });
                session_.execute("work");
              });
            }),
            "would_deadlock");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 work", "1 rollback", "1 after"}));
}

TEST_F(Hooks, AHookBeforeTheCommitMayPreventIt) {
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

TEST_F(Hooks, WhatAHookAfterTheEndThrowsChangesNothing) {
  session_.transaction([&] {
    session_.after_commit([] { throw std::runtime_error("mail server away"); });
    session_.after_commit(logging("the next one"));
    session_.execute("work");
  });
  EXPECT_EQ(hook_errors_, (Log{"mail server away"}));
  EXPECT_EQ(log_, (Log{"the next one"}));
}

TEST_F(Hooks, AHookAfterTheEndMayThrowWhatIsNoException) {
  session_.transaction([&] {
    session_.after_commit([] { throw 7; });
    session_.after_commit(logging("the next one"));
    session_.execute("work");
  });
  EXPECT_EQ(hook_errors_, (Log{"what it threw is no std::exception"}));
  EXPECT_EQ(log_, (Log{"the next one"}));
}

TEST_F(Hooks, HooksOfASavepointShareItsFate) {
  session_.transaction([&] {
    session_.execute("outer");
    session_.after_commit(logging("outer committed"));
    session_.transaction({.propagation = Propagation::nested}, [&] {
      session_.execute("inner");
      session_.before_commit(logging("never"));
      session_.after_commit(logging("never"));
      session_.after_rollback(logging("inner rolled back"));
      session_.set_rollback_only();
    });
    EXPECT_EQ(log_, Log());  // not before the connection is back
  });
  EXPECT_EQ(log_, (Log{"outer committed", "inner rolled back"}));
}

TEST_F(Hooks, ATransactionThatAHookBeginsAfterTheEndHasHooksOfItsOwn) {
  session_.transaction([&] {
    session_.execute("work");
    session_.after_commit([&] {
      session_.transaction([&] {
        session_.after_rollback(logging("the hook's rolled back"));
        session_.execute("inner");
        session_.set_rollback_only();
      });
      log("the hook goes on");
    });
  });
  EXPECT_EQ(log_, (Log{"the hook's rolled back", "the hook goes on"}));
}

TEST_F(Hooks, HooksNeedATransaction) {
  EXPECT_EQ(code_of([&] { session_.after_commit([] {}); }), "no_transaction");
  EXPECT_EQ(code_of([&] { session_.set_rollback_only(); }), "no_transaction");
}

}  // namespace
}  // namespace carrel::test
