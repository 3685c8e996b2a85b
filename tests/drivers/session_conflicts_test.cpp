// Conflicts that two real transactions have on the two real servers, and Retry.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "carrel/db/sql_error.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

class SessionConflicts : public testing::TestWithParam<std::string> {
 protected:
  SessionConflicts() : driver_(make_driver()), observer_(driver_->connect({})) {
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key, n bigint)");
    observer_->execute("insert into item values (1, 0), (2, 0)");
    pool_.emplace(PoolOptions{.name = "conflicts",
                              .size_max = 4,
                              .acquire_max = std::chrono::seconds(60),
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(SessionOptions{.routes = {{"all", &*pool_, {}}}});
  }
  static bool postgres() { return GetParam() == "Postgres"; }
  static std::unique_ptr<Driver> make_driver() {
    if (!postgres()) return mariadb_driver(mariadb_options());
    auto options = postgres_options();
    options.parameters["options"] += " -c deadlock_timeout=10ms";
    return postgres_driver(options);
  }

  void add_to(int id) { session_->execute("update item set n = n + 1 where id = $1", id); }
  std::int64_t sum() {
    return observer_->execute("select n from item where id = 1").one().get<std::int64_t>(0) * 10 +
           observer_->execute("select n from item where id = 2").one().get<std::int64_t>(0);
  }
  // As the server calls it.
  static std::string known_as(const SqlError& error) {
    return postgres() ? std::string(error.sqlstate()) : std::to_string(error.native_code());
  }

  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Connection> observer_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
};

TEST_P(SessionConflicts, OfTwoTransactionsInADeadlockOneIsRunAgainAndBothAreDone) {
  std::barrier both_hold_one(2);
  std::atomic<int> runs{0};
  std::atomic<int> victims{0};
  const auto transact = [&](int first, int second) {
    const Scope scope({.name = "a request"});
    bool met = false;
    return thrown_by([&] {
      session_->transaction({.retry = Retry::conflicts(5)}, [&] {
        ++runs;
        add_to(first);
        if (!std::exchange(met, true)) both_hold_one.arrive_and_wait();
        try {
          add_to(second);
        } catch (const SqlError& error) {
          EXPECT_EQ(error.code(), "sql.deadlock");
          EXPECT_EQ(known_as(error), postgres() ? "40P01" : "1213");
          ++victims;
          throw;
        }
      });
    });
  };
  std::string of_the_other;
  std::thread other([&] { of_the_other = transact(2, 1); });
  EXPECT_EQ(transact(1, 2), "nothing");
  other.join();
  EXPECT_EQ(of_the_other, "nothing");
  EXPECT_EQ(victims, 1);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(sum(), 22);
  EXPECT_EQ(pool_->stats().closed_broken, 0U);
}

TEST_P(SessionConflicts, AWriteOnWhatHasChangedSinceTheSnapshotIsRunAgain) {
  const Scope scope({.name = "a request"});
  int runs = 0;
  const TransactionOptions options{.isolation = Isolation::repeatable_read,
                                   .retry = Retry::conflicts(3)};
  const auto read = session_->transaction(options, [&] {
    const auto n = session_->execute("select n from item where id = 1").one().get<std::int64_t>(0);
    if (++runs == 1) observer_->execute("update item set n = 5 where id = 1");
    try {
      add_to(1);
    } catch (const SqlError& error) {
      EXPECT_EQ(error.code(), "sql.serialization_failure");
      EXPECT_EQ(known_as(error), postgres() ? "40001" : "1020");
      EXPECT_EQ(runs, 1);
      throw;
    }
    return n;
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(read, 5);
  EXPECT_EQ(sum(), 60);
  EXPECT_EQ(pool_->stats().closed_broken, 0U);
}

INSTANTIATE_TEST_SUITE_P(Servers, SessionConflicts, testing::Values("Postgres", "Mariadb"),
                         [](const auto& server) { return server.param; });

}  // namespace
}  // namespace carrel::test
