// What a session costs on the wire, on the two real servers: BEGIN rides where it can, and so does
// COMMIT with a batch.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "carrel/db/sql_error.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

constexpr const char* kUpdate = "update item set n = n + 1 where id = $1";
constexpr const char* kSelect = "select n from item where id = $1";

class SessionRoundTrips : public testing::TestWithParam<std::string> {
 protected:
  SessionRoundTrips()
      : driver_(postgres() ? postgres_driver(postgres_options())
                           : mariadb_driver(mariadb_options())) {
    driver_->connect({})->execute("drop table if exists item");
    driver_->connect({})->execute("create table item (id bigint primary key, n bigint)");
    driver_->connect({})->execute("insert into item values (1, 0), (2, 0)");
    pool_.emplace(PoolOptions{.name = "trips",
                              .size_max = 2,
                              .validate_after = std::chrono::hours(1),
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(
        SessionOptions{.routes = {{"all", &*pool_, {}}}, .pause = [](std::chrono::nanoseconds) {}});
    warm_up();
  }
  // Both connections are there, and have prepared what the tests send.
  void warm_up() {
    std::vector<Pool::Lease> all;
    for (int i = 0; i < 2; ++i) {
      auto& connection = all.emplace_back(pool_->borrow());
      for (const bool read_only : {false, true}) {
        for (const auto isolation : {Isolation::standard, Isolation::serializable}) {
          connection->begin({.isolation = isolation,
                             .access = read_only ? Access::read_only : Access::read_write});
          connection->execute(kSelect, std::array{Value(1)});
          connection->rollback();
        }
      }
      connection->execute(kUpdate, std::array{Value(1)});
    }
  }
  static bool postgres() { return GetParam() == "Postgres"; }

  // BEGIN before a statement with parameters, which MariaDB has prepared.
  static std::uint64_t begin() { return postgres() ? 0 : 1; }
  static std::uint64_t batch_of(std::uint64_t statements) { return postgres() ? 1 : statements; }

  // Of both connections.
  std::uint64_t trips(const std::function<void()>& run) {
    const auto before = so_far();
    run();
    return so_far() - before;
  }
  std::uint64_t so_far() {
    const auto first = pool_->borrow();
    const auto second = pool_->borrow();
    return first->round_trips() + second->round_trips();
  }

  void update(int id = 1) { session_->execute(kUpdate, id); }
  void select() { session_->execute(kSelect, 1); }
  static Batch three() {
    Batch batch;
    for (int i = 0; i < 3; ++i) batch.add(kUpdate, 1);
    return batch;
  }

  std::unique_ptr<Driver> driver_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
};

TEST_P(SessionRoundTrips, AStatementAloneIsOne) {
  EXPECT_EQ(trips([&] { update(); }), 1U);
  EXPECT_EQ(trips([&] { select(); }), 1U);
}

TEST_P(SessionRoundTrips, ATransactionIsOneForEachStatementAndOneForCommit) {
  EXPECT_EQ(trips([&] { session_->transaction([] {}); }), 0U);
  for (std::uint64_t statements = 1; statements <= 4; ++statements) {
    EXPECT_EQ(trips([&] {
                session_->transaction([&] {
                  for (std::uint64_t i = 0; i < statements; ++i) update();
                });
              }),
              begin() + statements + 1);
  }
}

TEST_P(SessionRoundTrips, WhatBeginSaysCostsNothing) {
  EXPECT_EQ(trips([&] { session_->transaction({.read_only = true}, [&] { select(); }); }),
            begin() + 2);
  EXPECT_EQ(trips([&] {
              session_->transaction({.isolation = Isolation::serializable}, [&] { update(); });
            }),
            begin() + 2);
}

TEST_P(SessionRoundTrips, RollingBackIsOneAsCommittingIs) {
  EXPECT_EQ(trips([&] {
              session_->transaction([&] {
                update();
                session_->set_rollback_only();
              });
            }),
            begin() + 2);
}

TEST_P(SessionRoundTrips, ABatchByItselfTakesBeginAndCommitAlong) {
  EXPECT_EQ(trips([&] { session_->batch(three()); }), postgres() ? 1U : 5U);
}

TEST_P(SessionRoundTrips, ABatchInsideATransactionTakesBeginAlong) {
  EXPECT_EQ(trips([&] { session_->transaction([&] { session_->batch(three()); }); }),
            begin() + batch_of(3) + 1);
}

TEST_P(SessionRoundTrips, ARetryIsWhatWasUndoneAndTheWholeOnceMore) {
  EXPECT_EQ(trips([&] {
              int runs = 0;
              session_->transaction({.retry = Retry::conflicts(1)}, [&] {
                update();
                if (++runs == 1)
                  throw SqlError("sql.serialization_failure", {.traits = {.retryable = true}});
              });
            }),
            2 * (begin() + 2));
}

TEST_P(SessionRoundTrips, ASavepointIsOneAndSoIsItsRelease) {
  const auto nested = [&] {
    session_->transaction({.propagation = Propagation::nested}, [&] { update(); });
  };
  EXPECT_EQ(trips([&] {
              session_->transaction([&] {
                update();
                nested();
              });
            }),
            begin() + 5);
  // Where it comes first it takes BEGIN along, and where nothing is done in it there is none.
  EXPECT_EQ(trips([&] { session_->transaction(nested); }), 4U);
  EXPECT_EQ(trips([&] {
              session_->transaction([&] {
                update();
                session_->transaction({.propagation = Propagation::nested}, [] {});
              });
            }),
            begin() + 2);
}

TEST_P(SessionRoundTrips, ATransactionThatPutsAnotherAsideAddsItsOwnAndNoMore) {
  EXPECT_EQ(
      trips([&] {
        session_->transaction([&] {
          update(1);
          session_->transaction({.propagation = Propagation::requires_new}, [&] { update(2); });
          session_->transaction({.propagation = Propagation::not_supported}, [&] { select(); });
          update(1);
        });
      }),
      2 * begin() + 3 + 2 + 1);
}

INSTANTIATE_TEST_SUITE_P(Servers, SessionRoundTrips, testing::Values("Postgres", "Mariadb"),
                         [](const auto& server) { return server.param; });

}  // namespace
}  // namespace carrel::test
