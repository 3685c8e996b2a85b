// Links that are cut while two clusters commit together, at every place of either side's talk.
#include "drivers/errors.h"
#include "far/together_fixture.h"

namespace carrel::test {
namespace {

class TogetherFaults : public TogetherTest {
 protected:
  void SetUp() override { make_session({}, std::chrono::seconds(30)); }
  void start_anew() {
    a_.open()->execute("update account set balance = 100");
    b_.open()->execute("update account set balance = 100");
  }
  // The links are there and the statements prepared: each transfer says the same bytes.
  void warm_up() {
    static_cast<void>(transfer());
    start_anew();
  }
  // What is thrown must be what has happened, and nothing may be left behind.
  void transfer_cut(FaultGate& gate, const Faults& faults, std::size_t cut) {
    warm_up();
    gate.set(faults);
    const auto thrown = thrown_by([&] { static_cast<void>(transfer()); });
    gate.set({});
    const auto found = session_->recover();
    EXPECT_EQ(found.in_doubt, std::vector<std::string>()) << cut;
    EXPECT_EQ(transferred(), thrown == "nothing") << cut << ": " << thrown;
    expect_nothing_prepared();
  }
};

TEST_F(TogetherFaults, ALinkToTheOtherThatIsCutInItsQuestionsLeavesBothOrNone) {
  warm_up();
  gate_a_.set({});
  static_cast<void>(transfer());
  const auto bytes = gate_a_.asked();
  ASSERT_GT(bytes, 100U);
  for (std::size_t cut = 0; cut < bytes; cut += 29)
    transfer_cut(gate_a_, {.cut_asked = cut, .spare_new = true}, cut);
}

TEST_F(TogetherFaults, ALinkToTheOtherThatIsCutInItsAnswersLeavesBothOrNone) {
  warm_up();
  gate_a_.set({});
  static_cast<void>(transfer());
  const auto bytes = gate_a_.passed();
  ASSERT_GT(bytes, 50U);
  for (std::size_t cut = 0; cut < bytes; cut += 17)
    transfer_cut(gate_a_, {.cut_after = cut, .spare_new = true}, cut);
}

// The last of them is the answer to COMMIT: done, but the one who asked is not told.
TEST_F(TogetherFaults, ALinkToTheDeciderThatIsCutInItsAnswersLeavesBothOrNone) {
  warm_up();
  gate_.set({});
  static_cast<void>(transfer());
  const auto bytes = gate_.passed();
  ASSERT_GT(bytes, 50U);
  for (std::size_t cut = 0; cut < bytes; cut += 19)
    transfer_cut(gate_, {.cut_after = cut, .spare_new = true}, cut);
}

// Without recovery: a link that is lost with the answer may have left it prepared.
TEST_F(TogetherFaults, WhatMayHaveBeenPreparedIsRolledBackWithTheRest) {
  warm_up();
  make_session(
      [&](TwoPhaseStep step) {
        if (step == TwoPhaseStep::logged) gate_a_.set({.cut_after = 0, .spare_new = true});
      },
      std::chrono::seconds(30));
  EXPECT_NE(thrown_by([&] { static_cast<void>(transfer()); }), "nothing");
  expect_nothing_prepared();
  gate_a_.set({});
  EXPECT_FALSE(transferred());
}

TEST_F(TogetherFaults, WhatCannotBeToldItsEndIsUnfinishedUntilRecoveryTells) {
  make_session(
      [&](TwoPhaseStep step) {
        if (step == TwoPhaseStep::decided) gate_a_.set({.refuse = true});
      },
      std::chrono::milliseconds(200));
  EXPECT_EQ(transfer(), Together::unfinished);
  EXPECT_EQ(a_.prepared(), 1);
  gate_a_.set({});
  EXPECT_EQ(session_->recover().committed, 1U);
  EXPECT_TRUE(transferred());
  expect_nothing_prepared();
}

// The gate opens again only after somebody has been refused.
TEST_F(TogetherFaults, WhoFinishesAsksAgainUntilTheServerIsBack) {
  int pauses = 0;
  session_.emplace(SessionOptions{
      .routes = {{"a", &a_.pool(), {}}, {"b", &b_.pool(), {}}},
      .marker = [this]() -> std::optional<std::string_view> { return *shard_.find(); },
      .two_phase = TwoPhase{.name = own_name(),
                            .settle_max = std::chrono::seconds(60),
                            .on_step =
                                [&](TwoPhaseStep step) {
                                  if (step == TwoPhaseStep::decided) gate_a_.set({.refuse = true});
                                }},
      .pause =
          [&](std::chrono::nanoseconds time) {
            EXPECT_GT(time.count(), 0);
            if (++pauses == 1) gate_a_.set({});
          }});
  EXPECT_EQ(transfer(), Together::committed);
  EXPECT_GE(pauses, 1);
  EXPECT_TRUE(transferred());
  expect_nothing_prepared();
}

}  // namespace
}  // namespace carrel::test
