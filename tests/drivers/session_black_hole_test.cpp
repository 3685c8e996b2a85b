// A link that swallows everything while a session undoes, and while a pool cleans: the caller goes
// on, since the connection is given up. No time is looked at: everything else that could end these
// waits lasts an hour, so that a test that comes back at all has been let go by the deadline.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/in_time.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGrace{40};
constexpr std::chrono::hours kForever{1};

class BlackHole : public testing::TestWithParam<std::string> {
 protected:
  BlackHole()
      : gate_(server_port(postgres() ? "POSTGRES_PORT" : "MARIADB_PORT")),
        direct_(driver(0, kForever)),
        observer_(direct_->connect({})) {
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key)");
  }
  ~BlackHole() override { gate_.set({}); }

  static bool postgres() { return GetParam() == "Postgres"; }
  template <class Options>
  static Options adjusted(Options options, std::uint16_t port, milliseconds upkeep_max) {
    if (port != 0) options.port = port;
    options.grace = kGrace;
    options.upkeep_max = upkeep_max;
    return options;
  }
  static std::unique_ptr<Driver> driver(std::uint16_t port, milliseconds upkeep_max) {
    return postgres() ? postgres_driver(adjusted(postgres_options(), port, upkeep_max))
                      : mariadb_driver(adjusted(mariadb_options(), port, upkeep_max));
  }
  static std::unique_ptr<Pool> pool_of_one(Driver& driver) {
    return std::make_unique<Pool>(PoolOptions{.name = "hole",
                                              .size_max = 1,
                                              .acquire_max = kForever,
                                              .size_min = 0,
                                              .validate_after = kForever,
                                              .maintain_every = {}},
                                  driver);
  }
  void nothing_passes() { gate_.set({.black_hole = true}); }
  // One place, which is free again, once a request to cancel has been heard, and whose next
  // connection works.
  void expect_recovered(Pool& pool, std::uint64_t given_up) {
    EXPECT_EQ(pool.stats().closed_broken, given_up);
    gate_.set({});
    in_time([&] {
      while (pool.stats().size != 0) pool.maintain();
    });
    EXPECT_EQ(pool.borrow()->execute("select count(*) from item").one().get<int>(0), 0);
  }

  FaultGate gate_;
  std::unique_ptr<Driver> direct_;
  std::unique_ptr<Connection> observer_;
  const Scope scope_{{.name = "a test"}};
};

// `work` runs in a transaction with a deadline and calls what it is handed once everything that
// needs the link is done. A machine too slow for the deadline gets a longer one.
void within_a_deadline(Session& session, const std::function<void(std::function<void()>)>& work,
                       const std::function<void()>& hole) {
  bool reached = false;
  for (milliseconds deadline{100}; !reached; deadline *= 4) {
    const auto thrown = thrown_by([&] {
      session.transaction({.deadline = deadline}, [&] {
        work([&] {
          reached = true;
          hole();
        });
      });
    });
    EXPECT_EQ(thrown, reached ? "given up" : "sql.deadline, retryable");
    if (!reached && thrown != "sql.deadline, retryable") return;
  }
}

TEST_P(BlackHole, ClosureThatThrowsIsRolledBackNoLongerThanTheDeadlineAllows) {
  const auto through = driver(gate_.port(), kForever);
  const auto pool = pool_of_one(*through);
  Session session({.routes = {{"all", pool.get(), {}}}});
  within_a_deadline(
      session,
      [&](const auto& reached) {
        session.execute("insert into item values (1)");
        reached();
        throw Error("given up", "by the closure");
      },
      [&] { nothing_passes(); });
  expect_recovered(*pool, 1);
}

TEST_P(BlackHole, SavepointIsRolledBackNoLongerThanTheDeadlineAllows) {
  const auto through = driver(gate_.port(), kForever);
  const auto pool = pool_of_one(*through);
  Session session({.routes = {{"all", pool.get(), {}}}});
  within_a_deadline(
      session,
      [&](const auto& reached) {
        session.execute("insert into item values (1)");
        session.transaction({.propagation = Propagation::nested}, [&] {
          session.execute("insert into item values (2)");
          reached();
          throw Error("given up", "by the closure");
        });
      },
      [&] { nothing_passes(); });
  expect_recovered(*pool, 1);
}

// Who set no deadline waits for a savepoint no longer than for any other upkeep.
TEST_P(BlackHole, SavepointWithoutADeadlineIsRolledBackNoLongerThanUpkeepMayLast) {
  const auto through = driver(gate_.port(), kGrace);
  const auto pool = pool_of_one(*through);
  Session session({.routes = {{"all", pool.get(), {}}}});
  EXPECT_EQ(thrown_by([&] {
              session.transaction([&] {
                session.execute("insert into item values (1)");
                session.transaction({.propagation = Propagation::nested}, [&] {
                  session.execute("insert into item values (2)");
                  nothing_passes();
                  throw Error("given up", "by the closure");
                });
              });
            }),
            "given up");
  expect_recovered(*pool, 1);
}

TEST_P(BlackHole, ReturnCleansNoLongerThanTheBorrowersDeadlineAllows) {
  const auto through = driver(gate_.port(), kForever);
  const auto pool = pool_of_one(*through);
  const std::array<std::function<void(Connection&)>, 2> leaves = {
      [](Connection& connection) {  // a transaction
        connection.begin({});
        connection.execute("insert into item values (1)");
      },
      [](Connection& connection) {  // a setting
        connection.execute(postgres() ? "set search_path = 'public'" : "set @mine = 1");
      }};
  std::uint64_t given_up = 0;
  for (const auto& leave : leaves) {
    auto lease = pool->borrow();
    leave(*lease);
    nothing_passes();
    lease->set_deadline(Clock::Steady::clock::now() + kGrace);
    lease.release();
    expect_recovered(*pool, ++given_up);
  }
}

TEST_P(BlackHole, AConnectionThatStillHasMuchToSayIsClosedWithoutAWait) {
  const auto through = driver(gate_.port(), kForever);
  const auto pool = pool_of_one(*through);
  // More than the sockets hold; no text, which would be looked through before it is sent.
  const Bytes many(std::size_t{8} << 20);
  {
    auto lease = pool->borrow();
    nothing_passes();
    lease->set_deadline(Clock::Steady::clock::now() + kGrace);
    EXPECT_EQ(thrown_by([&] { lease->execute("select length($1)", std::array{Value(many)}); }),
              "sql.deadline, retryable");
  }
  expect_recovered(*pool, 1);
}

// What the next borrower gets knows nothing of the last one's deadline.
TEST_P(BlackHole, ADeadlineThatHasPassedLeavesTimeToCleanUpOverALinkThatWorks) {
  const auto through = driver(0, kForever);
  const auto pool = pool_of_one(*through);
  {
    auto lease = pool->borrow();
    lease->begin({});
    lease->execute("insert into item values (1)");
    lease->savepoint(1);
    lease->execute("insert into item values (2)");
    lease->set_deadline(Clock::Steady::clock::now());
    lease->rollback_to(1);
    EXPECT_EQ(thrown_by([&] { lease->execute("select 1"); }), "sql.deadline, retryable");
  }
  auto lease = pool->borrow();
  EXPECT_EQ(lease->deadline(), kNoDeadline);
  EXPECT_EQ(lease->execute("select count(*) from item").one().get<int>(0), 0);
  EXPECT_EQ(pool->stats().created, 1U);
}

INSTANTIATE_TEST_SUITE_P(Servers, BlackHole, testing::Values("Postgres", "Mariadb"),
                         [](const auto& server) { return server.param; });

}  // namespace
}  // namespace carrel::test
