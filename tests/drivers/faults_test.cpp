// What the drivers say when the network fails, on both servers, through the fault gate.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "carrel/db/pool.h"
#include "drivers/behind_a_gate.h"
#include "drivers/wall_clock.h"

namespace carrel::test {
namespace {

using std::array;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

class Faults : public BehindAGate {};

TEST_P(Faults, BytesThatTravelAloneArriveAsOneMessage) {
  gate_.set({.fragment = true});
  const auto connection = open();
  transfer(*connection, 1);
  transfer_at_once(*connection, 2);
  transfer_plainly(*connection, 3);
  const std::string text(3'000, 'x');
  EXPECT_EQ(connection->execute("select $1", array{Value(text)}).one().get<std::string>(0), text);
  EXPECT_TRUE(exists(1) && exists(2));
}

TEST_P(Faults, ASlowLinkIsOnlySlow) {
  gate_.set({.delay = milliseconds(3)});
  const auto connection = open();
  transfer(*connection, 1);
  EXPECT_TRUE(exists(1));
}

TEST_P(Faults, TheWireSeesTheRoundTripsThatAreCounted) {
  const auto connection = open();
  int id = 0;
  const auto expect_trips = [&](const auto& work, std::uint64_t trips) {
    work(*connection, ++id);  // so that everything is prepared
    gate_.set({});
    const auto before = connection->round_trips();
    work(*connection, ++id);
    EXPECT_EQ(connection->round_trips() - before, trips);
    EXPECT_EQ(gate_.turns(), trips);
  };
  expect_trips(transfer, GetParam().trips_of_a_transaction);
  expect_trips(transfer_plainly, 2);
  expect_trips(transfer_at_once, GetParam().trips_of_a_batch);
}

TEST_P(Faults, AWriteThatCommitsByItselfIsInDoubtWhenCut) {
  const auto connection = open();
  insert(*connection, 1);
  gate_.set({.cut_after = 0});
  EXPECT_EQ(thrown_by([&] { insert(*connection, 2); }), "sql.connection_lost, in doubt");
}

TEST_P(Faults, AConnectionGivenUpSendsNothingMore) {
  const auto connection = open();
  gate_.set({.cut_after = 0});
  EXPECT_EQ(thrown_by([&] { connection->execute("select 1"); }), "sql.connection_lost, retryable");
  gate_.set({});
  EXPECT_EQ(thrown_by([&] { insert(*connection, 2); }), "sql.connection_lost, retryable");
  EXPECT_FALSE(connection->validate());
  EXPECT_FALSE(connection->reset());
}

TEST_P(Faults, ABlackHoleIsLeftAtTheDeadline) {
  struct Step {
    std::string name;
    std::function<void(Connection&)> prepare;
    std::function<void(Connection&)> run;
    std::string expected;
  };
  const auto nothing = [](Connection&) {};
  const auto begun = [](Connection& connection) {
    connection.begin({});
    insert(connection, 1);
  };
  const std::vector<Step> steps = {
      {"a read", nothing, [](Connection& c) { c.execute("select 1"); }, "sql.deadline, retryable"},
      {"a write", nothing, [](Connection& c) { insert(c, 1); }, "sql.deadline, in doubt"},
      {"a write in a transaction", begun, [](Connection& c) { insert(c, 2); },
       "sql.deadline, retryable"},
      {"COMMIT", begun, [](Connection& c) { c.commit(); }, "sql.deadline, in doubt"},
      {"a batch with COMMIT", nothing, [](Connection& c) { transfer_at_once(c, 1); },
       GetParam().trips_of_a_batch == 1 ? "sql.deadline, in doubt" : "sql.deadline, retryable"},
      {"ROLLBACK", begun, [](Connection& c) { c.rollback(); }, "nothing"},
      {"validate", nothing, [](Connection& c) { EXPECT_FALSE(c.validate()); }, "nothing"},
      {"reset", begun, [](Connection& c) { EXPECT_FALSE(c.reset()); }, "nothing"},
  };
  for (const auto& [name, prepare, run, expected] : steps) {
    gate_.set({});
    auto connection = open();
    insert(*connection, 0);  // prepared
    connection->execute("delete from item");
    prepare(*connection);
    gate_.set({.black_hole = true});
    connection->set_deadline(soon());
    SCOPED_TRACE(name);
    in_time([&] {
      EXPECT_EQ(thrown_by([&] { run(*connection); }), expected);
      EXPECT_TRUE(connection->broken());
      connection.reset();  // closing waits for nobody either
    });
  }
}

TEST_P(Faults, ABlackHoleDuringConnectIsLeftAtTheDeadline) {
  gate_.set({.black_hole = true});
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { static_cast<void>(through_->connect({.deadline = soon()})); }),
              "sql.deadline, retryable");
  });
}

TEST_P(Faults, ClosingOverABlackHoleWaitsForNobody) {
  auto idle = open();
  auto busy = open();
  busy->begin({});
  insert(*busy, 1);
  gate_.set({.black_hole = true});
  in_time([&] {
    idle.reset();
    busy.reset();
  });
}

TEST_P(Faults, ACancelThatIsNeverHeardHoldsNobody) {
  const auto connection = open();
  connection->set_deadline(soon());
  gate_.set({});
  std::thread hole([&] {
    while (gate_.asked() == 0) std::this_thread::yield();
    gate_.set({.black_hole = true});
  });
  in_time([&] {
    EXPECT_EQ(thrown_by([&] { connection->execute(GetParam().endless); }).substr(0, 12),
              "sql.deadline");
  });
  hole.join();
}

// Deadlines are of the steady clock: whatever becomes of the other one, a statement that ends in
// time is let end, and one that does not is left at its deadline.
TEST_P(Faults, AWallClockThatJumpsEndsNoWaitAndProlongsNone) {
  for (const auto by : {10h, -10h}) {
    SCOPED_TRACE(by.count());
    const auto before = std::chrono::system_clock::now();
    gate_.set({});
    const auto connection = open();
    connection->set_deadline(Clock::Steady::clock::now() + kNever);
    {
      std::unique_ptr<WallClockJump> jump;
      gate_.set({});
      std::thread jumping([&] {
        while (gate_.asked() == 0) std::this_thread::yield();
        jump = std::make_unique<WallClockJump>(by);
      });
      EXPECT_EQ(thrown_by([&] { connection->execute(GetParam().brief); }), "nothing");
      jumping.join();
      EXPECT_GT(std::chrono::abs(std::chrono::system_clock::now() - before), 9h);
    }

    Pool pool({.name = "one", .size_max = 1, .acquire_max = kNever}, *through_);
    const auto held = pool.borrow();
    connection->set_deadline(soon());
    const auto deadline = soon();
    const WallClockJump jump(by);
    in_time([&] {
      EXPECT_EQ(thrown_by([&] { connection->execute(GetParam().endless); }).substr(0, 12),
                "sql.deadline");
      EXPECT_EQ(thrown_by([&] { static_cast<void>(pool.borrow({.deadline = deadline})); }),
                "pool.timeout, retryable");
      gate_.set({.black_hole = true});
      EXPECT_EQ(thrown_by([&] { static_cast<void>(through_->connect({.deadline = soon()})); }),
                "sql.deadline, retryable");
    });
  }
}

TEST_P(Faults, APoolRecoversWhenTheServerIsBack) {
  Pool pool({.name = "gate", .size_max = 2, .maintain_every = milliseconds(0)}, *through_);
  pool.borrow()->execute("select 1");
  gate_.set({.refuse = true});
  for (int i = 0; i < 3; ++i) {
    const auto down = thrown_by([&] { pool.borrow({.deadline = soon()})->execute("select 1"); });
    EXPECT_TRUE(down == "sql.connection_lost, retryable" ||
                down == "sql.cannot_connect, retryable" || down == "pool.timeout, retryable")
        << down;
  }
  gate_.set({});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(pool.borrow()->execute("select 7").size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Servers, Faults, testing::ValuesIn(gated_servers()), name_of);

}  // namespace
}  // namespace carrel::test
