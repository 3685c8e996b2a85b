// Transactions over two real clusters: all or none, whoever dies.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "drivers/errors.h"
#include "far/together_fixture.h"

namespace carrel::test {
namespace {

TEST_F(TogetherTest, BothAreCommittedAndTheLogIsEmptiedByRecovery) {
  EXPECT_EQ(transfer(), Together::committed);
  EXPECT_TRUE(transferred());
  expect_nothing_prepared();
  const auto found = session_->recover();
  EXPECT_EQ(found.committed + found.rolled_back, 0U);
  EXPECT_EQ(found.forgotten, 1U);
  EXPECT_EQ(b_.number("select count(*) from carrel_decision"), 0);
  EXPECT_EQ(session_->recover().forgotten, 0U);
}

// Each branch's BEGIN and statement, the log's row, PREPARE, the decider's COMMIT, COMMIT PREPARED;
// and nothing to give the connections back.
TEST_F(TogetherTest, TakesSixRoundTripsForTwoBranchesOfOneStatement) {
  const auto trips = [&] {
    return a_.pool().borrow()->round_trips() + b_.pool().borrow()->round_trips();
  };
  for (int run = 0; run < 2; ++run) static_cast<void>(transfer());  // connected, and prepared
  const auto before = trips();
  EXPECT_EQ(transfer(), Together::committed);
  EXPECT_EQ(trips() - before, 6U);
}

TEST_F(TogetherTest, WhatABranchThrowsOrRefusesRollsBothBack) {
  struct No {};
  EXPECT_THROW(session_->together(
                   {}, [&] { add("a", -10); },
                   [&] {
                     add("b", 10);
                     throw No();
                   }),
               No);
  EXPECT_FALSE(transferred());
  EXPECT_EQ(session_->together(
                {},
                [&] {
                  add("a", -10);
                  session_->set_rollback_only();
                },
                [&] { add("b", 10); }),
            Together::rolled_back);
  EXPECT_FALSE(transferred());
  expect_nothing_prepared();
}

TEST_F(TogetherTest, IsRefusedInsideATransaction) {
  const auto bound = shard_.bind("a");
  session_->transaction([&] { EXPECT_EQ(thrown_by([&] { transfer(); }), "transaction_exists"); });
  EXPECT_FALSE(transferred());
}

TEST_F(TogetherTest, HooksRunWithWhatBecameOfTheWhole) {
  std::vector<Outcome> outcomes;
  session_->together(
      {},
      [&] {
        add("a", -10);
        session_->after_completion([&](Outcome o) { outcomes.push_back(o); });
      },
      [&] { add("b", 10); });
  EXPECT_EQ(outcomes, std::vector{Outcome::committed});
}

TEST_F(TogetherTest, ALostConflictRunsAllBranchesAgain) {
  int runs = 0;
  const TransactionOptions options{.isolation = Isolation::serializable,
                                   .retry = Retry::conflicts(3)};
  session_->together(
      options, [&] { add("a", -10); },
      [&] {
        const auto bound = shard_.bind("b");
        session_->execute("select balance from account");
        if (++runs == 1) b_.open()->execute("update account set balance = 100");
        add("b", 10);
      });
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(transferred());
  expect_nothing_prepared();
}

// The process dies right after each step. Its child does the work, from a fresh session.
class TogetherCrash : public TogetherTest, public testing::WithParamInterface<TwoPhaseStep> {
 protected:
  void die_at(TwoPhaseStep when) {
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const auto a = postgres_driver(own(cluster("SHARD_A")));
      const auto b = postgres_driver(own(cluster("SHARD_B")));
      Pool pool_a({.name = "a", .size_max = 2, .maintain_every = {}}, *a);
      Pool pool_b({.name = "b", .size_max = 2, .maintain_every = {}}, *b);
      session_.emplace(SessionOptions{
          .routes = {{"a", &pool_a, {}}, {"b", &pool_b, {}}},
          .marker = [this]() -> std::optional<std::string_view> { return *shard_.find(); },
          .two_phase = TwoPhase{.name = parent_, .on_step = [when](TwoPhaseStep step) {
                                  if (step == when) static_cast<void>(raise(SIGKILL));
                                }}});
      static_cast<void>(transfer());
      _exit(3);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }
  PostgresOptions own(PostgresOptions options) const {
    options.database = parent_;
    return options;
  }
  const std::string parent_ = own_name();
};

TEST_P(TogetherCrash, RecoveryMakesItBothOrNone) {
  die_at(GetParam());
  const auto found = session_->recover();
  EXPECT_EQ(found.in_doubt, std::vector<std::string>());
  EXPECT_EQ(found.unreachable, std::vector<std::string>());
  expect_nothing_prepared();
  const bool decided = GetParam() == TwoPhaseStep::decided || GetParam() == TwoPhaseStep::finished;
  EXPECT_EQ(transferred(), decided);
  EXPECT_EQ(found.committed, GetParam() == TwoPhaseStep::decided ? 1U : 0U);
  EXPECT_EQ(found.rolled_back, GetParam() == TwoPhaseStep::prepared ? 1U : 0U);
  const auto again = session_->recover();
  EXPECT_EQ(again.committed + again.rolled_back + again.forgotten, 0U);
  EXPECT_EQ(transfer(), Together::committed);  // nothing is locked
}

TEST_P(TogetherCrash, TwoRecoverersAtOnceAgree) {
  die_at(GetParam());
  std::thread other([&] {
    const Scope scope({.name = "the other"});
    static_cast<void>(session_->recover());
  });
  static_cast<void>(session_->recover());
  other.join();
  static_cast<void>(session_->recover());  // either may have found the other at it
  expect_nothing_prepared();
  EXPECT_EQ(transferred(),
            GetParam() == TwoPhaseStep::decided || GetParam() == TwoPhaseStep::finished);
}

std::string name_of(const testing::TestParamInfo<TwoPhaseStep>& at) {
  switch (at.param) {
    case TwoPhaseStep::worked:
      return "Worked";
    case TwoPhaseStep::logged:
      return "Logged";
    case TwoPhaseStep::prepared:
      return "Prepared";
    case TwoPhaseStep::decided:
      return "Decided";
    case TwoPhaseStep::finished:
      return "Finished";
  }
  return {};
}

INSTANTIATE_TEST_SUITE_P(EveryStep, TogetherCrash,
                         testing::Values(TwoPhaseStep::worked, TwoPhaseStep::logged,
                                         TwoPhaseStep::prepared, TwoPhaseStep::decided,
                                         TwoPhaseStep::finished),
                         name_of);

// A recoverer must not take a transaction for abandoned that is still at it.
TEST_F(TogetherTest, RecoveryWaitsForATransactionThatIsStillAtIt) {
  std::thread other;
  Recovery found;
  make_session([&](TwoPhaseStep step) {
    if (step != TwoPhaseStep::prepared) return;
    other = std::thread([&] { found = session_->recover(std::chrono::seconds(30)); });
    // Until it waits for the decision's row.
    while (b_.number("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                     "datname = current_database()") == 0) {
    }
  });
  EXPECT_EQ(transfer(), Together::committed);
  other.join();
  EXPECT_TRUE(transferred());
  expect_nothing_prepared();
  EXPECT_EQ(found.rolled_back, 0U);
}

// The decider's link is cut all along, from the first statement to the end.
TEST_F(TogetherTest, ALinkToTheDeciderThatIsCutAnywhereLeavesBothOrNone) {
  static_cast<void>(transfer());  // so that links are there and statements prepared
  b_.open()->execute("update account set balance = 100");
  a_.open()->execute("update account set balance = 100");
  static_cast<void>(b_.pool().borrow()->validate());
  gate_.set({});
  static_cast<void>(transfer());
  const auto bytes = gate_.asked();
  ASSERT_GT(bytes, 100U);
  for (std::size_t cut = 0; cut < bytes; cut += 23) {
    a_.open()->execute("update account set balance = 100");
    b_.open()->execute("update account set balance = 100");
    static_cast<void>(transfer());
    a_.open()->execute("update account set balance = 100");
    b_.open()->execute("update account set balance = 100");
    gate_.set({.cut_asked = cut, .spare_new = true});
    const auto thrown = thrown_by([&] { static_cast<void>(transfer()); });
    gate_.set({});
    const auto found = session_->recover();
    EXPECT_EQ(found.in_doubt, std::vector<std::string>()) << cut;
    EXPECT_EQ(transferred(), thrown == "nothing") << cut << ": " << thrown;
    expect_nothing_prepared();
  }
}

TEST_F(TogetherTest, WhoCannotAskTheDeciderLeavesItInDoubtUntilRecoveryCan) {
  make_session(
      [&](TwoPhaseStep step) {
        if (step == TwoPhaseStep::prepared) gate_.set({.refuse = true});
      },
      std::chrono::milliseconds(200));
  const auto thrown = thrown_by([&] { static_cast<void>(transfer()); });
  EXPECT_NE(thrown.find("in doubt"), std::string::npos) << thrown;
  EXPECT_EQ(a_.prepared(), 1);
  const auto found = session_->recover(std::chrono::milliseconds(200));
  EXPECT_EQ(found.in_doubt.size(), 1U);
  EXPECT_EQ(found.unreachable, std::vector<std::string>{"b"});
  EXPECT_EQ(a_.prepared(), 1);
  gate_.set({});
  EXPECT_EQ(session_->recover().rolled_back, 1U);
  EXPECT_FALSE(transferred());
  expect_nothing_prepared();
}

}  // namespace
}  // namespace carrel::test
