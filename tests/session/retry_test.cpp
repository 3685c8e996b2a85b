// Which transactions are run again, how often, and after which pauses.
#include <algorithm>
#include <limits>

#include "session/stub_session.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

using RetriedTransaction = LoggedSession;

TEST_F(RetriedTransaction, RunsAgainAfterAConflict) {
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

TEST_F(RetriedTransaction, RunsAgainAfterNothingButAConflict) {
  driver_.at(StubPoint::execute, [] { throw server_away(); });  // retryable all the same
  int runs = 0;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.retry = Retry::conflicts(5)}, [&] {
                ++runs;
                session_.execute("work");
              });
            }),
            "sql.cannot_connect");
  EXPECT_EQ(runs, 1);
}

// Two that lost against each other part; the longest holds from the fourth pause on.
TEST_F(RetriedTransaction, PausesGrowUpToTheLongestAndDifferByChance) {
  constexpr std::chrono::nanoseconds kFirst = 1ms;
  constexpr std::chrono::nanoseconds kLongest = 6ms;
  driver_.at(StubPoint::execute, [] { throw conflict(); }, 20);
  session_.transaction({.retry = {.attempts_max = 21, .first_pause = 1ms, .pause_max = 6ms}},
                       [&] { session_.execute("contended"); });
  ASSERT_EQ(pauses_.size(), 20U);
  for (std::size_t i = 0; i < pauses_.size(); ++i) {
    const auto whole = std::min(kFirst * (1 << i), kLongest);
    EXPECT_GE(pauses_[i], whole / 2);
    EXPECT_LE(pauses_[i], whole);
  }
  EXPECT_EQ(std::ranges::count(pauses_, pauses_.back()), 1);
}

TEST_F(RetriedTransaction, RunsAgainAfterAConflictAtCommit) {
  driver_.at(StubPoint::commit, [] { throw conflict(); });
  session_.transaction({.retry = Retry::conflicts(1)}, [&] { session_.execute("contended"); });
  EXPECT_EQ(sent(),
            (Diary{"1 begin", "1 contended", "1 commit", "1 begin", "1 contended", "1 commit"}));
}

TEST_F(RetriedTransaction, GivesUpWhenItsRunsAreSpent) {
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
TEST_F(RetriedTransaction, RunsAgainOnlyWhileTheDeadlineLeavesTimeForThePause) {
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

// That of the scope, or of a transaction around; the call itself sets none.
TEST_F(RetriedTransaction, RunsAgainOnlyWhileTheCallersDeadlineLeavesTimeForThePause) {
  const Retry patient{.attempts_max = 5, .first_pause = 2h, .pause_max = 2h};
  const auto runs_within = [&](std::chrono::milliseconds deadline, bool in_transaction) {
    pauses_.clear();
    int runs = 0;
    const auto contend = [&] {
      driver_.at(StubPoint::execute, [] { throw conflict(); });
      session_.transaction({.propagation = Propagation::requires_new, .retry = patient}, [&] {
        ++runs;
        session_.execute("contended");
      });
    };
    const auto code = code_of([&] {
      if (in_transaction) return session_.transaction({.deadline = deadline}, contend);
      const Scope scope({.name = "a caller", .deadline = Clock::Steady::clock::now() + deadline});
      book_.set("consumer");
      contend();
    });
    EXPECT_EQ(code, runs == 1 ? "sql.serialization_failure" : "");
    EXPECT_EQ(pauses_.size(), static_cast<std::size_t>(runs - 1));
    return runs;
  };
  for (const bool in_transaction : {false, true}) {
    EXPECT_EQ(runs_within(1h, in_transaction), 1);
    EXPECT_EQ(runs_within(3h, in_transaction), 2);
  }
}

TEST_F(RetriedTransaction, TakesAnyNumberOfRunsAndAnyTimeForForEver) {
  constexpr auto for_ever = std::chrono::milliseconds::max();
  auto endless = Retry::conflicts(std::numeric_limits<int>::max());
  const auto contend = [&](std::optional<std::chrono::milliseconds> deadline) {
    driver_.at(StubPoint::execute, [] { throw conflict(); });
    return code_of([&] {
      session_.transaction({.deadline = deadline, .retry = endless},
                           [&] { session_.execute("contended"); });
    });
  };
  EXPECT_EQ(contend(std::nullopt), "");
  endless.first_pause = endless.pause_max = for_ever;
  EXPECT_EQ(contend(1h), "sql.serialization_failure");
  EXPECT_EQ(contend(std::nullopt), "");
  ASSERT_EQ(pauses_.size(), 2U);
  EXPECT_GT(pauses_[1], 24h * 365);
}

TEST_F(RetriedTransaction, LeavesRunningAgainToTheCallThatBegan) {
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

TEST_F(RetriedTransaction, NeverRunsAgainWhenInDoubt) {
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

// A conflict too may be told when it is too late to know: a write that commits by itself.
TEST_F(RetriedTransaction, AConflictThatIsInDoubtIsNotRunAgain) {
  driver_.at(StubPoint::commit,
             [] { throw SqlError("sql.serialization_failure", {.traits = {.in_doubt = true}}); });
  int runs = 0;
  EXPECT_EQ(code_of([&] {
              session_.transaction({.retry = Retry::conflicts(5)}, [&] {
                ++runs;
                session_.execute("transfer");
              });
            }),
            "sql.serialization_failure");
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace carrel::test
