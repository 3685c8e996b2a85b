// Which deadline holds for what a call has sent, in every mode.
#include <array>

#include "session/stub_session.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;
using P = Propagation;

class Deadline : public StubSession {
 protected:
  [[nodiscard]] Clock::Steady of_the_last_statement() const {
    return driver_.deadline_at(StubPoint::execute);
  }
  void send_a_batch() { session_.batch(Batch().add("first").add("second")); }
  void load() {
    const std::array<std::string_view, 1> columns = {"id"};
    const std::array values = {Value(1), Value(2)};
    session_.load("account", columns, values);
  }
  // Everything that a closure may do to the database, without a transaction around it.
  [[nodiscard]] std::vector<std::function<void()>> ways_to_send() {
    return {[this] { session_.execute("alone"); }, [this] { send_a_batch(); }, [this] { load(); },
            [this] { session_.transaction([this] { session_.execute("inner"); }); }};
  }
};

TEST_F(Deadline, OfACallWithoutATransactionHoldsForAllThatItSends) {
  for (const auto mode : {P::supports, P::not_supported, P::never}) {
    for (const auto& send : ways_to_send()) {
      EXPECT_EQ(
          code_of([&] { session_.transaction({.propagation = mode, .deadline = 0ms}, send); }),
          "sql.deadline");
      EXPECT_EQ(sent(), Diary());
      session_.transaction({.propagation = mode, .deadline = 1h}, send);
      EXPECT_NE(of_the_last_statement(), kNoDeadline);
      send();
      EXPECT_EQ(of_the_last_statement(), kNoDeadline);  // and no longer than the call lasts
      static_cast<void>(sent());
    }
  }
}

TEST_F(Deadline, OfATransactionHoldsForWhatIsBegunInsideItTheEarlierOneWins) {
  for (const auto mode :
       {P::required, P::requires_new, P::nested, P::supports, P::not_supported, P::mandatory}) {
    SCOPED_TRACE(static_cast<int>(mode));
    session_.transaction({.deadline = 1h}, [&] {
      session_.execute("outer");
      const auto outer = of_the_last_statement();
      session_.transaction({.propagation = mode}, [&] { session_.execute("inherits"); });
      EXPECT_EQ(of_the_last_statement(), outer);
      session_.transaction({.propagation = mode, .deadline = 2h},
                           [&] { session_.execute("asks for more"); });
      EXPECT_EQ(of_the_last_statement(), outer);
      session_.transaction({.propagation = mode, .deadline = 30min},
                           [&] { session_.execute("asks for less"); });
      EXPECT_LT(of_the_last_statement(), outer);
      session_.execute("outer again");
      EXPECT_EQ(of_the_last_statement(), outer);
    });
  }
}

TEST_F(Deadline, MayBeAsFarOffAsCanBeSaid) {
  session_.transaction({.deadline = std::chrono::milliseconds::max()},
                       [&] { session_.execute("for ever"); });
  EXPECT_EQ(of_the_last_statement(), kNoDeadline);
}

TEST_F(Deadline, OfACallThatJoinedHoldsForWhatIsBegunInsideIt) {
  session_.transaction([&] {
    session_.transaction({.deadline = 1h}, [&] {
      session_.execute("joined");
      const auto joined = of_the_last_statement();
      session_.transaction({.propagation = P::requires_new}, [&] { session_.execute("new"); });
      EXPECT_EQ(of_the_last_statement(), joined);
    });
    session_.transaction({.propagation = P::requires_new}, [&] { session_.execute("new"); });
    EXPECT_EQ(of_the_last_statement(), kNoDeadline);
  });
}

// The savepoint cannot be released any more; rolled back to it can always be.
TEST_F(Deadline, OfANestedCallThatPassesBeforeItsEndUndoesWhatTheCallHasDone) {
  driver_.at(StubPoint::savepoint, [] {});
  driver_.at(StubPoint::savepoint,
             [] { throw SqlError("sql.deadline", {.traits = {.retryable = true}}); });
  session_.transaction([&] {
    session_.execute("outer");
    const auto nested = [&] {
      session_.transaction({.propagation = P::nested}, [&] { session_.execute("inner"); });
    };
    EXPECT_EQ(code_of(nested), "sql.deadline");
    session_.execute("after");
  });
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 outer", "1 savepoint carrel_1", "1 inner",
                           "1 release savepoint carrel_1", "1 rollback to savepoint carrel_1",
                           "1 release savepoint carrel_1", "1 after", "1 commit"}));
}

// Whoever waits for it has set it.
TEST_F(Deadline, OfATransactionHoldsForUndoingAndCleaningAsWell) {
  session_.transaction({.deadline = 1h}, [&] {
    session_.execute("work");
    session_.set_rollback_only();
  });
  EXPECT_EQ(driver_.deadline_at(StubPoint::rollback), of_the_last_statement());
  EXPECT_EQ(driver_.deadline_at(StubPoint::reset), of_the_last_statement());
  session_.transaction({.propagation = P::supports, .deadline = 1h},
                       [&] { session_.execute("alone"); });
  EXPECT_EQ(driver_.deadline_at(StubPoint::reset), of_the_last_statement());
  session_.execute("without");
  EXPECT_EQ(driver_.deadline_at(StubPoint::reset), kNoDeadline);
}

TEST_F(Deadline, HooksAfterTheEndHaveThatOfTheCallsAroundAndNotOfWhatEnded) {
  session_.transaction({.deadline = 1h}, [&] {
    session_.execute("work");
    session_.after_commit([&] { session_.execute("after"); });
  });
  EXPECT_EQ(of_the_last_statement(), kNoDeadline);
  session_.transaction({.deadline = 2h}, [&] {
    session_.execute("outer");
    const auto outer = of_the_last_statement();
    session_.transaction({.propagation = P::requires_new, .deadline = 1h}, [&] {
      session_.execute("inner");
      session_.after_commit([&] { session_.execute("after the inner"); });
    });
    EXPECT_EQ(of_the_last_statement(), outer);
  });
}

}  // namespace
}  // namespace carrel::test
