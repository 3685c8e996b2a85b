// What a session asks of a database that takes BEGIN along with the first statement, and COMMIT
// along with a batch. On real servers: tests/drivers/session_round_trips_test.cpp.
#include "session/stub_session.h"

namespace carrel::test {
namespace {

class RoundTrips : public StubSession {
 protected:
  std::uint64_t of(const std::function<void()>& run) {
    const auto before = driver_.round_trips();
    run();
    return driver_.round_trips() - before;
  }
};

TEST_F(RoundTrips, OfATransactionAreOneForEachStatementAndOneForCommit) {
  EXPECT_EQ(of([&] { session_.transaction([] {}); }), 0U);
  for (std::uint64_t statements = 1; statements <= 3; ++statements) {
    for (const bool read_only : {false, true}) {
      EXPECT_EQ(of([&] {
                  session_.transaction({.read_only = read_only}, [&] {
                    for (std::uint64_t i = 0; i < statements; ++i) session_.execute("select");
                  });
                }),
                statements + 1);
    }
  }
}

TEST_F(RoundTrips, OfABatchAreOneByItselfAndOneMoreForTheCommitOfATransaction) {
  const auto batch = [&] { session_.batch(Batch().add("first").add("second").add("third")); };
  EXPECT_EQ(of(batch), 1U);
  EXPECT_EQ(of([&] { session_.transaction(batch); }), 2U);
}

TEST_F(RoundTrips, OfARetryAreThoseOfWhatWasUndoneAndOfTheWholeOnceMore) {
  driver_.at(StubPoint::execute, [] { throw conflict(); });
  EXPECT_EQ(of([&] {
              session_.transaction({.retry = Retry::conflicts(1)},
                                   [&] { session_.execute("contended"); });
            }),
            4U);
}

TEST_F(RoundTrips, OfASavepointAreOneToSetItAndOneToReleaseItWhereItIsUsed) {
  EXPECT_EQ(of([&] {
              session_.transaction([&] {
                session_.execute("outer");
                session_.transaction({.propagation = Propagation::nested}, [] {});
              });
            }),
            2U);
  EXPECT_EQ(of([&] {
              session_.transaction([&] {
                session_.execute("outer");
                session_.transaction({.propagation = Propagation::nested},
                                     [&] { session_.execute("inner"); });
              });
            }),
            5U);
}

}  // namespace
}  // namespace carrel::test
