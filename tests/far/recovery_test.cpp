// What recovery finds, whom it waits for and what it must not forget; and refusals of together().
#include "drivers/errors.h"
#include "far/together_fixture.h"

namespace carrel::test {
namespace {

class RecoveryTest : public TogetherTest {
 protected:
  // As a coordinator that has died left it: on `a`, to be decided by `b`.
  void leave_prepared(const std::string& decision, const std::string& customer) {
    const auto connection = a_.open();
    connection->begin({});
    connection->execute("insert into account values ('" + customer + "', 1, 0)");
    connection->prepare(decision + "/1");
  }
  SessionOptions options_of(std::vector<Route> routes) {
    return {.routes = std::move(routes),
            .marker = [this]() -> std::optional<std::string_view> { return *shard_.find(); },
            .two_phase = TwoPhase{.name = own_name()},
            .pause = [](std::chrono::nanoseconds) {}};
  }
  std::int64_t log_lines() { return b_.number("select count(*) from carrel_decision"); }
};

TEST_F(RecoveryTest, IsNotHeldUpByADeciderThatIsStillAtIt) {
  const auto busy = own_name() + "/b/busy";
  const auto gone = own_name() + "/b/gone";
  const auto decider = b_.open();
  decider->begin({});
  decider->execute("insert into carrel_decision values ('" + busy + "')");
  leave_prepared(busy, "one");
  leave_prepared(gone, "two");
  const auto found = session_->recover(std::chrono::milliseconds(900));
  EXPECT_EQ(found.in_doubt, std::vector{busy + "/1"});
  EXPECT_EQ(found.rolled_back, 1U);
  decider->commit();
  EXPECT_EQ(session_->recover().committed, 1U);
  EXPECT_EQ(a_.number("select count(*) from account where customer = 'one'"), 1);
  EXPECT_EQ(a_.number("select count(*) from account where customer = 'two'"), 0);
  expect_nothing_prepared();
}

TEST_F(RecoveryTest, IsNotHeldUpByADatabaseThatDoesNotAnswer) {
  FaultGate hole(server_port("SHARD_B_PORT"));
  auto options = cluster("SHARD_B");
  options.port = hole.port();
  options.grace = std::chrono::milliseconds(50);
  const auto driver = postgres_driver(options);
  Pool silent({.name = "silent", .size_max = 2, .maintain_every = {}}, *driver);
  hole.set({.black_hole = true});
  session_.emplace(options_of({{"0", &silent, {}}, {"a", &a_.pool(), {}}, {"b", &b_.pool(), {}}}));
  leave_prepared(own_name() + "/b/gone", "one");
  const auto found = session_->recover(std::chrono::seconds(3));
  EXPECT_EQ(found.unreachable, std::vector<std::string>{"0"});
  EXPECT_EQ(found.rolled_back, 1U);
  expect_nothing_prepared();
  hole.set({});
}

// As one process runs with an old map of the routes while others have the new one.
TEST_F(RecoveryTest, ForgetsNoDecisionThatADatabaseItDoesNotKnowMayNeed) {
  make_session(
      [&](TwoPhaseStep step) {
        if (step == TwoPhaseStep::decided) gate_a_.set({.refuse = true});
      },
      std::chrono::milliseconds(100));
  EXPECT_EQ(transfer(), Together::unfinished);
  gate_a_.set({});
  Session without_a(options_of({{"b", &b_.pool(), {}}}));
  EXPECT_EQ(without_a.recover().forgotten, 0U);
  make_session();
  const auto found = session_->recover();
  EXPECT_EQ(found.committed, 1U);
  EXPECT_EQ(found.forgotten, 1U);
  EXPECT_TRUE(transferred());
  EXPECT_EQ(log_lines(), 0);
}

// Without its key, the table would take a decision that it has for a new one.
TEST_F(RecoveryTest, TouchesNothingWhereTheLogHasLostItsKey) {
  make_session(
      [&](TwoPhaseStep step) {
        if (step == TwoPhaseStep::decided) gate_a_.set({.refuse = true});
      },
      std::chrono::milliseconds(100));
  EXPECT_EQ(transfer(), Together::unfinished);
  gate_a_.set({});
  make_session();
  b_.open()->execute("alter table carrel_decision drop constraint carrel_decision_pkey");
  EXPECT_EQ(session_->recover().in_doubt.size(), 1U);
  EXPECT_EQ(a_.prepared(), 1);
  b_.open()->execute("alter table carrel_decision add primary key (name)");
  EXPECT_EQ(session_->recover().committed, 1U);
  EXPECT_TRUE(transferred());
}

TEST_F(RecoveryTest, LeavesAloneWhatHasANameItDoesNotUnderstand) {
  const auto foreign = own_name() + "/b";
  {
    const auto connection = a_.open();
    connection->begin({});
    connection->execute("select 1");
    connection->prepare(foreign);
  }
  EXPECT_EQ(session_->recover().in_doubt, std::vector{foreign});
  EXPECT_EQ(a_.prepared(), 1);
  EXPECT_TRUE(a_.open()->finish_prepared(foreign, Prepared::roll_back));
}

TEST_F(RecoveryTest, NeedsASessionThatWasToldHow) {
  Session plain({.routes = {{"a", &a_.pool(), {}}}});
  EXPECT_EQ(thrown_by([&] { static_cast<void>(plain.recover()); }), "no_two_phase");
  EXPECT_EQ(thrown_by([&] { plain.together({}, [] {}); }), "no_two_phase");
}

TEST_F(RecoveryTest, NamesThatCannotBePartOfACommandAreRefusedAtOnce) {
  const auto refused = [&](const TwoPhase& how, const std::string& route = "a") {
    return thrown_by(
        [&] { const Session session({.routes = {{route, &a_.pool(), {}}}, .two_phase = how}); });
  };
  EXPECT_EQ(refused({.name = "an-app_1.0", .log_table = "own.decision"}), "nothing");
  EXPECT_EQ(refused({.name = ""}), "invalid_two_phase");
  EXPECT_EQ(refused({.name = "it's"}), "invalid_two_phase");
  EXPECT_EQ(refused({.name = "a/b"}), "invalid_two_phase");
  EXPECT_EQ(refused({.name = std::string(61, 'a')}), "invalid_two_phase");
  EXPECT_EQ(refused({.log_table = "log; drop table account"}), "invalid_two_phase");
  EXPECT_EQ(refused({.log_table = "log--"}), "invalid_two_phase");
  EXPECT_EQ(refused({}, "a b"), "invalid_two_phase");
}

TEST_F(RecoveryTest, AnInnerFailureThatWasNotPassedOnRollsAllBranchesBack) {
  const auto thrown = thrown_by([&] {
    session_->together(
        {}, [&] { add("a", -10); },
        [&] {
          add("b", 10);
          try {
            session_->transaction([] { throw Error("inner", "of a call that joined"); });
          } catch (const Error&) {
          }
        });
  });
  EXPECT_EQ(thrown, "rolled_back");
  EXPECT_FALSE(transferred());
  expect_nothing_prepared();
}

TEST_F(RecoveryTest, HooksOfABranchWithoutAStatementHearOfTheCommitToo) {
  std::vector<Outcome> outcomes;
  const auto only_a_hook = [&] {
    session_->after_completion([&](Outcome outcome) { outcomes.push_back(outcome); });
  };
  session_->together({}, only_a_hook);
  session_->together({}, only_a_hook, [&] { add("b", 0); });
  session_->together({}, [&] { add("a", -10); }, [&] { add("b", 10); }, only_a_hook);
  EXPECT_EQ(outcomes, (std::vector{Outcome::committed, Outcome::committed, Outcome::committed}));
  EXPECT_TRUE(transferred());
}

}  // namespace
}  // namespace carrel::test
