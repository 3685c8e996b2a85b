// COMMITs that got no answer, and what a fresh connection says of them.
#include "drivers/postgres/postgres_doubt.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <future>
#include <vector>

#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;

PostgresOptions resolving() {
  auto options = postgres_options();
  options.resolve_max = std::chrono::seconds(60);  // the machine may be busy
  return options;
}

class PostgresDoubt : public testing::Test {
 protected:
  PostgresDoubt() : gate_(server_port("POSTGRES_PORT")), observer_(open_postgres()) {
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key)");
    options_.port = gate_.port();
  }

  std::unique_ptr<Connection> open() { return open_postgres(options_); }
  static void insert(Connection& connection, int id) {
    connection.execute("insert into item values ($1)", array{Value(id)});
  }
  bool exists(int id) {
    return !observer_->execute("select 1 from item where id = $1", array{Value(id)}).empty();
  }
  // How many bytes COMMIT asks, and is answered.
  struct Bytes {
    std::size_t asked;
    std::size_t answered;
  };
  Bytes bytes_of_commit() {
    const auto connection = open();
    connection->begin({});
    insert(*connection, -1);
    gate_.set({});
    connection->commit();
    return {.asked = gate_.asked(), .answered = gate_.passed()};
  }
  // Cuts the link as told while COMMIT is under way; what is thrown must be what has happened.
  std::string commit_cut(const Faults& faults, int id) {
    const auto connection = open();
    connection->begin({});
    insert(*connection, id);
    gate_.set(faults);
    const auto thrown = thrown_by([&] { connection->commit(); });
    EXPECT_TRUE(connection->broken());
    EXPECT_FALSE(connection->in_transaction());
    return thrown;
  }

  FaultGate gate_;
  PostgresOptions options_ = resolving();
  std::unique_ptr<Connection> observer_;
};

TEST_F(PostgresDoubt, ACommitWhoseAnswerIsCutAtAnyByteHasSucceeded) {
  const auto bytes = bytes_of_commit();
  ASSERT_GT(bytes.answered, 10U);
  for (std::size_t cut = 0; cut < bytes.answered; ++cut) {
    const int id = static_cast<int>(cut);
    EXPECT_EQ(commit_cut({.cut_after = cut, .spare_new = true}, id), "nothing") << cut;
    EXPECT_TRUE(exists(id)) << cut;
  }
}

TEST_F(PostgresDoubt, ACommitThatIsCutAtAnyByteOnItsWayIsKnownToBeRolledBackOrDone) {
  const auto bytes = bytes_of_commit();
  ASSERT_GT(bytes.asked, 10U);
  int rolled_back = 0;
  for (std::size_t cut = 0; cut < bytes.asked; ++cut) {
    const int id = static_cast<int>(cut);
    const auto thrown = commit_cut({.cut_asked = cut, .spare_new = true}, id);
    rolled_back += thrown == "sql.connection_lost, retryable" ? 1 : 0;
    EXPECT_EQ(thrown, exists(id) ? "nothing" : "sql.connection_lost, retryable") << cut;
  }
  EXPECT_GT(rolled_back, 0);
}

TEST_F(PostgresDoubt, ABackendKilledBeforeCommitIsKnownToBeRolledBack) {
  const auto connection = open();
  connection->begin({});
  insert(*connection, 1);
  kill_backend(*connection);
  EXPECT_EQ(thrown_by([&] { connection->commit(); }), "sql.connection_lost, retryable");
  EXPECT_FALSE(exists(1));
}

// Whatever is cut off, doubt is left only where the number or a row went with it: from where
// COMMIT's own answer begins, none is.
TEST_F(PostgresDoubt, ABatchWithItsCommitCutAtAnyByteTellsTheTruth) {
  const auto run = [&](Connection& connection, int id) {
    const array values = {Value(id)};
    const array items = {
        BatchItem{.statement = "insert into item values ($1) returning id", .parameters = values}};
    connection.begin({});
    EXPECT_EQ(connection.batch_and_commit(items).front().one().get<int>(0), id);
  };
  constexpr std::size_t ready_for_query = 6;  // bytes, after all answers
  auto connection = open();
  run(*connection, 9000);  // all ids have four digits, which travel as text
  gate_.set({});
  run(*connection, 9001);
  const auto total = gate_.passed();
  const array values = {Value(9002)};
  const array items = {
      BatchItem{.statement = "insert into item values ($1) returning id", .parameters = values}};
  connection->begin({});
  gate_.set({});
  static_cast<void>(connection->batch(items));
  const auto rows_passed = gate_.passed() - ready_for_query;
  connection->rollback();
  ASSERT_GT(total, rows_passed);
  for (std::size_t cut = 0; cut < total; ++cut) {
    connection = open();
    const int id = 1000 + static_cast<int>(cut);
    run(*connection, id + 4000);  // so that everything is prepared
    gate_.set({.cut_after = cut, .spare_new = true});
    const auto thrown = thrown_by([&] { run(*connection, id); });
    // Either at this one byte: transactions' numbers may have got another digit since.
    if (cut != rows_passed) {
      EXPECT_EQ(thrown, cut < rows_passed ? "sql.connection_lost, in doubt" : "nothing") << cut;
    }
    EXPECT_TRUE(exists(id)) << cut;
  }
}

TEST_F(PostgresDoubt, TheNumberCostsNoRoundTrip) {
  const auto connection = open();
  const auto before = connection->round_trips();
  connection->begin({});
  insert(*connection, 1);
  connection->commit();
  EXPECT_EQ(connection->round_trips() - before, 2U);
}

TEST_F(PostgresDoubt, AReadOnlyTransactionIsGivenNoNumber) {
  const auto connection = open();
  connection->begin({.access = Access::read_only});
  EXPECT_TRUE(connection->execute("select txid_current_if_assigned()").one().is_null(0));
  connection->commit();
}

TEST_F(PostgresDoubt, ALoadThatComesFirstIsNumberedByWhatFollows) {
  const auto connection = open();
  const std::array<std::string_view, 1> columns{"id"};
  const array values = {Value(1), Value(2)};
  connection->begin({});
  connection->load({.table = "item", .columns = columns, .values = values});
  insert(*connection, 3);
  gate_.set({.cut_after = 0, .spare_new = true});
  EXPECT_EQ(thrown_by([&] { connection->commit(); }), "nothing");
  EXPECT_TRUE(exists(1) && exists(3));
}

// The transaction that is asked after is the one that was committed, not the one that was rolled
// back so that its first statement could be prepared anew.
TEST_F(PostgresDoubt, ATransactionThatBeganTwiceIsAskedAfterByItsOwnNumber) {
  const auto connection = open();
  connection->execute("select * from item");
  observer_->execute("alter table item add column extra int");
  connection->begin({});
  connection->execute("select * from item");
  insert(*connection, 1);
  gate_.set({.cut_after = 0, .spare_new = true});
  EXPECT_EQ(thrown_by([&] { connection->commit(); }), "nothing");
  EXPECT_TRUE(exists(1));
}

TEST_F(PostgresDoubt, WithoutAWayToAskItStaysInDoubt) {
  options_.resolve_max = std::chrono::milliseconds(100);
  EXPECT_EQ(commit_cut({.refuse = true}, 1), "sql.connection_lost, in doubt");
}

TEST_F(PostgresDoubt, SwitchedOffNothingIsAsked) {
  options_.resolve_max = {};
  EXPECT_EQ(commit_cut({.cut_after = 0, .spare_new = true}, 1), "sql.connection_lost, in doubt");
}

// A schema may hide the server's functions; then one() throws, and no SqlError.
TEST_F(PostgresDoubt, AnAnswerThatMakesNoSenseLeavesItInDoubt) {
  observer_->execute(
      "create or replace function txid_status(bigint) returns setof text language sql as "
      "'select null::text where false'");
  options_.parameters["options"] += ",pg_catalog";  // to the search path
  EXPECT_EQ(commit_cut({.cut_after = 0, .spare_new = true}, 1), "sql.connection_lost, in doubt");
}

// With all turns taken, no byte gets through to the server.
TEST_F(PostgresDoubt, NobodyAsksOutOfTurnAndWhoWaitsForOneIsBoundByTheDeadline) {
  using postgres::Askers;
  using postgres::Fate;
  const auto connection = open_postgres();
  connection->begin({});
  const auto number = connection->execute("select txid_current()::text").one().get<std::string>(0);
  const auto run = postgres::run_of(*connection);
  connection->commit();
  Askers askers;
  const auto fate = [&](std::chrono::milliseconds patience) {
    gate_.set({});
    return postgres::fate_of(options_, askers, number, run, Clock::Steady::clock::now() + patience);
  };
  {
    const auto now = Clock::Steady::clock::now();
    const Askers::Turn one(askers, now);
    const Askers::Turn two(askers, now);
    ASSERT_TRUE(one && two);
    EXPECT_FALSE(Askers::Turn(askers, now));
    EXPECT_EQ(fate(std::chrono::milliseconds(20)), Fate::unknown);
    EXPECT_EQ(gate_.asked(), 0U);
  }
  EXPECT_EQ(fate(std::chrono::seconds(60)), Fate::committed);
}

TEST_F(PostgresDoubt, ManyThatLoseTheirLinksAtOnceAllLearnTheirFate) {
  const auto driver = postgres_driver(options_);  // one, and so the askers take turns
  std::vector<std::unique_ptr<Connection>> connections;
  for (int id = 0; id < 20; ++id) {
    connections.push_back(driver->connect({}));
    connections.back()->begin({});
    insert(*connections.back(), id);
  }
  gate_.set({.cut_after = 0, .spare_new = true});
  std::vector<std::future<std::string>> ends;
  for (auto& connection : connections) {
    ends.push_back(std::async(std::launch::async,
                              [&connection] { return thrown_by([&] { connection->commit(); }); }));
  }
  for (int id = 0; id < 20; ++id) {
    const auto thrown = ends[static_cast<std::size_t>(id)].get();
    EXPECT_EQ(thrown, exists(id) ? "nothing" : "sql.connection_lost, retryable");
  }
}

TEST_F(PostgresDoubt, AnswersOfAnotherRunOfTheServerAreNotTrusted) {
  using postgres::Fate;
  const auto connection = open_postgres();
  connection->begin({});
  const auto number = connection->execute("select txid_current()::text").one().get<std::string>(0);
  const auto run = postgres::run_of(*connection);
  postgres::Askers askers;
  const auto fate = [&](const std::string& of_run, std::chrono::milliseconds patience) {
    return postgres::fate_of(postgres_options(), askers, number, of_run,
                             Clock::Steady::clock::now() + patience);
  };
  EXPECT_EQ(fate(run, std::chrono::milliseconds(200)), Fate::unknown);  // still in progress
  connection->commit();
  EXPECT_EQ(fate(run, std::chrono::seconds(60)), Fate::committed);
  EXPECT_EQ(fate(run + "x", std::chrono::seconds(60)), Fate::unknown);
}

}  // namespace
}  // namespace carrel::test
