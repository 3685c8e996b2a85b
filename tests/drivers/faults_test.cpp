// What the drivers say when the network fails, on both servers, through the fault gate.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/in_time.h"
#include "carrel/db/pool.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;
using std::chrono::milliseconds;

constexpr milliseconds kShort{40};
constexpr int kTwin = 1'000'000;  // from a row to the one that was loaded with it

struct Server {
  std::string name;
  std::string port_name;
  std::function<std::unique_ptr<Driver>(std::uint16_t port)> driver;
  std::string endless;
  std::string leave_a_mess;  // that only a cleaning reset() undoes
  std::uint64_t trips_of_a_transaction;
  std::uint64_t trips_of_a_batch;
};

void PrintTo(const Server& server, std::ostream* out) {
  *out << server.name;
}

class Faults : public testing::TestWithParam<Server> {
 protected:
  Faults()
      : gate_(server_port(GetParam().port_name)),
        through_(GetParam().driver(gate_.port())),
        direct_(GetParam().driver(server_port(GetParam().port_name))),
        observer_(direct_->connect({})) {
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key)");
  }

  std::unique_ptr<Connection> open() { return through_->connect({}); }
  static Clock::Steady soon() { return Clock::Steady::clock::now() + kShort; }
  bool exists(int id) {
    return !observer_->execute("select 1 from item where id = $1", array{Value(id)}).empty();
  }
  static void insert(Connection& connection, int id) {
    connection.execute("insert into item values ($1)", array{Value(id)});
  }
  static void transfer(Connection& connection, int id) {
    connection.begin({});
    insert(connection, id);
    connection.commit();
  }
  // The first statement without parameters, which may take another way.
  static void transfer_plainly(Connection& connection, int id) {
    connection.begin({.isolation = Isolation::repeatable_read});
    connection.execute("insert into item values (" + std::to_string(id) + ")");
    connection.commit();
  }
  static void transfer_at_once(Connection& connection, int id) {
    const array values = {Value(id)};
    const array items = {
        BatchItem{.statement = "select 1", .parameters = {}},
        BatchItem{.statement = "insert into item values ($1)", .parameters = values}};
    connection.begin({});
    connection.batch_and_commit(items);
  }

  // Two rows, of which one is never there without the other.
  static void load(Connection& connection, int id) {
    constexpr array<std::string_view, 1> columns = {"id"};
    const array values = {Value(id), Value(id + kTwin)};
    connection.load({.table = "item", .columns = columns, .values = values});
  }
  static void load_in_a_transaction(Connection& connection, int id) {
    connection.begin({});
    load(connection, id);
    connection.commit();
  }
  void expect_no_row_without_its_twin() {
    EXPECT_EQ(observer_
                  ->execute("select count(*) from item a where id < $1 and not exists "
                            "(select 1 from item b where b.id = a.id + $2)",
                            array{Value(kTwin / 2), Value(kTwin)})
                  .one()
                  .get<int>(0),
              0);
  }

  // Runs `prepare` and then `work`, again and again, with the link cut after each byte of the
  // answers to the latter: each time it must say false, and the connection be given up.
  void fails_cut_at_every_byte(const std::function<void(Connection&)>& prepare,
                               const std::function<bool(Connection&)>& work) {
    gate_.set({});
    auto connection = open();
    prepare(*connection);
    gate_.set({});
    EXPECT_TRUE(work(*connection));
    const auto total = gate_.passed();
    ASSERT_GT(total, 4U);
    for (std::size_t cut = 0; cut < total; ++cut) {
      gate_.set({});
      connection = open();
      prepare(*connection);
      gate_.set({.cut_after = cut});
      EXPECT_FALSE(work(*connection)) << "cut after " << cut;
      EXPECT_TRUE(connection->broken()) << "cut after " << cut;
      EXPECT_FALSE(connection->in_transaction()) << "cut after " << cut;
    }
  }

  // Runs `work` once for every byte of the server's answers, with the link cut after that byte, and
  // compares what was said with what happened.
  void cut_at_every_byte(const std::function<void(Connection&, int)>& work) {
    auto connection = open();
    work(*connection, 0);
    gate_.set({});
    work(*connection, 1);
    const auto total = gate_.passed();
    ASSERT_GT(total, 10U);
    int doubts = 0;
    for (std::size_t cut = 0; cut < total; ++cut) {
      gate_.set({});
      connection = open();
      work(*connection, -static_cast<int>(cut) - 1);  // so that everything is prepared
      const int id = 2 + static_cast<int>(cut);
      gate_.set({.cut_after = cut});
      const auto thrown = thrown_by([&] { work(*connection, id); });
      EXPECT_TRUE(connection->broken()) << cut;
      EXPECT_FALSE(connection->in_transaction()) << cut;
      connection.reset();
      if (thrown == "sql.connection_lost, in doubt") {
        ++doubts;
      } else if (thrown == "nothing") {
        EXPECT_TRUE(exists(id)) << "cut after " << cut;
      } else {
        EXPECT_EQ(thrown, "sql.connection_lost, retryable") << "cut after " << cut;
        EXPECT_FALSE(exists(id)) << "cut after " << cut;
      }
    }
    EXPECT_GT(doubts, 0);
  }

  FaultGate gate_;
  std::unique_ptr<Driver> through_;
  std::unique_ptr<Driver> direct_;
  std::unique_ptr<Connection> observer_;
};

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

TEST_P(Faults, ATransactionCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Faults::transfer);
}

TEST_P(Faults, ATransactionThatBeginsWithAPlainTextCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Faults::transfer_plainly);
}

TEST_P(Faults, ABatchWithItsCommitCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Faults::transfer_at_once);
}

TEST_P(Faults, ALoadCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Faults::load);
  expect_no_row_without_its_twin();
}

TEST_P(Faults, ALoadInATransactionCutAtAnyByteTellsTheTruth) {
  cut_at_every_byte(&Faults::load_in_a_transaction);
  expect_no_row_without_its_twin();
}

TEST_P(Faults, AResetCutAtAnyByteIsNoCleanConnection) {
  const auto reset = [](Connection& connection) { return connection.reset(); };
  const auto open_transaction = [](Connection& connection) {
    connection.begin({});
    insert(connection, 1);
  };
  fails_cut_at_every_byte(open_transaction, reset);
  fails_cut_at_every_byte(
      [&](Connection& connection) {
        connection.execute(GetParam().leave_a_mess);
        open_transaction(connection);
      },
      reset);
  EXPECT_FALSE(exists(1));
}

TEST_P(Faults, ASignOfLifeCutAtAnyByteIsNone) {
  fails_cut_at_every_byte([](Connection&) {},
                          [](Connection& connection) { return connection.validate(); });
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

TEST_P(Faults, AGreetingCutAtAnyByteIsNoConnection) {
  gate_.set({});
  open();
  const auto total = gate_.passed();
  for (std::size_t cut = 0; cut < total; ++cut) {
    gate_.set({.cut_after = cut});
    const auto thrown = thrown_by([&] { static_cast<void>(open()); });
    EXPECT_TRUE(thrown.starts_with("sql.cannot_connect")) << "cut after " << cut << ": " << thrown;
  }
  gate_.set({});
  EXPECT_TRUE(open()->validate());
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

INSTANTIATE_TEST_SUITE_P(Servers, Faults,
                         testing::Values(Server{.name = "Postgres",
                                                .port_name = "POSTGRES_PORT",
                                                .driver =
                                                    [](std::uint16_t port) {
                                                      auto options = postgres_options();
                                                      options.port = port;
                                                      options.grace = kShort;
                                                      options.connect_max = kNever;
                                                      options.upkeep_max = kNever;
                                                      return postgres_driver(options);
                                                    },
                                                .endless = "select pg_sleep(60)",
                                                .leave_a_mess = "listen leftover",
                                                .trips_of_a_transaction = 2,
                                                .trips_of_a_batch = 1},
                                         Server{.name = "Mariadb",
                                                .port_name = "MARIADB_PORT",
                                                .driver =
                                                    [](std::uint16_t port) {
                                                      auto options = mariadb_options();
                                                      options.port = port;
                                                      options.grace = kShort;
                                                      options.connect_max = kNever;
                                                      options.upkeep_max = kNever;
                                                      return mariadb_driver(options);
                                                    },
                                                .endless = "select sleep(60)",
                                                .leave_a_mess = "set @leftover = 1",
                                                .trips_of_a_transaction = 3,
                                                .trips_of_a_batch = 3}),
                         [](const auto& server) { return server.param.name; });

}  // namespace
}  // namespace carrel::test
