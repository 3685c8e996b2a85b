// What a connection does whatever its driver: what a pool is told of its calls (how long they took,
// and that one runs), its deadline, and what it does by itself of batches and loads.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "db/pool_verbs.h"
#include "db/stub_driver.h"

namespace carrel::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPast = Clock::Steady(1ns);

struct Call {
  std::string what;
  StubPoint meets;
  bool in_transaction = true;
  std::function<void(Connection&)> make;
};

void late(Connection& connection, const std::function<void()>& call) {
  connection.set_deadline(kPast);
  EXPECT_EQ(code_of(call), "sql.deadline");
  connection.set_deadline(kNoDeadline);
}

std::vector<Call> every_call() {
  static const std::array<BatchItem, 1> items{{{.statement = "insert", .parameters = {}}}};
  static const std::array<std::string_view, 1> columns{"a"};
  static const std::array values{Value(1)};
  return {
      {"begin", StubPoint::begin, false, [](Connection& c) { c.begin({}); }},
      {"execute", StubPoint::execute, true, [](Connection& c) { c.execute("select"); }},
      {"batch", StubPoint::execute, true, [](Connection& c) { c.batch(items); }},
      {"load", StubPoint::execute, true,
       [](Connection& c) { c.load({.table = "t", .columns = columns, .values = values}); }},
      {"savepoint", StubPoint::savepoint, true, [](Connection& c) { c.savepoint(1); }},
      {"rollback_to", StubPoint::savepoint, true, [](Connection& c) { c.rollback_to(1); }},
      {"release", StubPoint::savepoint, true, [](Connection& c) { c.release(1); }},
      {"rollback", StubPoint::rollback, true, [](Connection& c) { c.rollback(); }},
      {"commit", StubPoint::commit, true, [](Connection& c) { c.commit(); }},
      {"batch_and_commit", StubPoint::commit, true,
       [](Connection& c) { c.batch_and_commit(items); }},
      {"commit, too late", StubPoint::rollback, true,
       [](Connection& c) { late(c, [&] { c.commit(); }); }},
      {"prepare, too late", StubPoint::rollback, true,
       [](Connection& c) { late(c, [&] { c.prepare("p"); }); }},
  };
}

void busy_for(std::chrono::milliseconds time) {
  const auto until = soon(time);
  while (Clock::Steady::clock::now() < until) {
  }
}

TEST(ConnectionCalls, AllAreTimedWhereAPoolAsks) {
  for (const auto& call : every_call()) {
    SCOPED_TRACE(call.what);
    StubDriver driver;
    const auto connection = driver.connect({});
    if (call.in_transaction) connection->begin({});
    driver.at(call.meets, [] { busy_for(2ms); });
    const auto begun = Clock::Steady::clock::now();
    connection->start_measuring();
    call.make(*connection);
    const auto measured = connection->stop_measuring();
    EXPECT_GE(measured, 2ms);
    EXPECT_LE(measured, Clock::Steady::clock::now() - begun);
  }
}

// One connection, whose borrower is reported after two seconds.
PoolOptions watched(const ManualClock& clock, std::vector<LeakReport>& reports) {
  auto made = options(1);
  made.clock = &clock;
  made.leak_after = 2s;
  made.on_leak = [&reports](const LeakReport& report) { reports.push_back(report); };
  return made;
}

TEST(ConnectionCalls, ALeakReportTellsThatOneRunsWhicheverItIs) {
  auto calls = every_call();
  // What the pool itself undoes is waited for by the borrower who gives the connection back.
  calls.push_back(
      {"reset", StubPoint::rollback, true, [](Connection& c) { EXPECT_TRUE(c.reset()); }});
  for (const auto& call : calls) {
    SCOPED_TRACE(call.what);
    StubDriver driver;
    ManualClock clock;
    std::vector<LeakReport> reports;
    Pool pool(watched(clock, reports), driver);
    auto lease = pool.borrow();
    if (call.in_transaction) lease->begin({});
    driver.at(call.meets, [&] {
      clock.advance(3s);
      std::thread([&] { pool.maintain(); }).join();  // while it runs
    });
    call.make(*lease);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_TRUE(reports[0].in_call);
    EXPECT_EQ(reports[0].calls, call.in_transaction ? 2U : 1U);
  }
}

TEST(ConnectionCalls, ALeakReportTellsThatTheReturnRollsBack) {
  StubDriver driver;
  ManualClock clock;
  std::vector<LeakReport> reports;
  Pool pool(watched(clock, reports), driver);
  auto lease = pool.borrow();
  lease->begin({});
  driver.at(StubPoint::rollback, [&] {
    clock.advance(3s);
    std::thread([&] { pool.maintain(); }).join();
  });
  lease.release();
  ASSERT_EQ(reports.size(), 2U);
  EXPECT_TRUE(reports[0].in_call);
  EXPECT_TRUE(reports[1].returned);
}

// A driver that leaves to Connection what it may: batches, and loads. Its deadline passes while the
// statement runs that a test says.
class PlainConnection final : public Connection {
 public:
  void pass_after(std::size_t statements) { passes_after_ = statements; }
  [[nodiscard]] const Diary& diary() const noexcept { return diary_; }

  void cancel() noexcept override {}
  [[nodiscard]] bool in_transaction() const noexcept override { return in_transaction_; }
  [[nodiscard]] bool broken() const noexcept override { return false; }
  [[nodiscard]] bool reset() noexcept override { return true; }
  [[nodiscard]] bool validate() noexcept override { return true; }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value>) override {
    diary_.emplace_back(statement.text.substr(0, statement.text.find(' ')));
    if (++ran_ == passes_after_) set_deadline(kPast);
    return {};
  }
  void do_begin(const BeginOptions&) override {
    diary_.emplace_back("begin");
    in_transaction_ = true;
  }
  void do_commit() override {
    diary_.emplace_back("commit");
    in_transaction_ = false;
  }
  void do_rollback() noexcept override {
    diary_.emplace_back("rollback");
    in_transaction_ = false;
  }
  bool do_finish_prepared(std::string_view, Prepared) override {
    diary_.emplace_back("finish");
    return true;
  }

 private:
  Diary diary_;
  std::size_t ran_ = 0;
  std::size_t passes_after_ = 0;
  bool in_transaction_ = false;
};

std::int64_t load(Connection& connection, std::size_t rows) {
  const std::vector<Value> values(rows, Value(1));
  const std::array<std::string_view, 1> columns{"a"};
  return connection.load({.table = "t", .columns = columns, .values = values});
}

TEST(ConnectionDeadline, HoldsBetweenTheStatementsOfABatch) {
  PlainConnection connection;
  connection.pass_after(1);
  const BatchItem item{.statement = "insert into t", .parameters = {}};
  EXPECT_EQ(code_of([&] { connection.batch(std::array{item, item}); }), "sql.deadline");
  EXPECT_EQ(connection.diary(), (Diary{"insert"}));
}

TEST(ConnectionDeadline, HoldsBetweenTheRowsOfALoadAndBeforeItsCommit) {
  for (const std::size_t passes_after : {1U, 2U}) {
    PlainConnection connection;
    connection.pass_after(passes_after);
    EXPECT_EQ(code_of([&] { load(connection, 2); }), "sql.deadline");
    Diary expected(passes_after, "insert");
    expected.insert(expected.begin(), "begin");
    expected.emplace_back("rollback");
    EXPECT_EQ(connection.diary(), expected);
  }
}

TEST(ConnectionDeadline, NothingOfABatchWithItsCommitIsSentAfterIt) {
  StubDriver driver;
  const auto connection = driver.connect({});
  connection->begin({});
  driver.forget_diary();
  connection->set_deadline(kPast);
  const BatchItem item{.statement = "insert", .parameters = {}};
  EXPECT_EQ(code_of([&] { connection->batch_and_commit({&item, 1}); }), "sql.deadline");
  EXPECT_EQ(driver.diary(), Diary());
}

TEST(ConnectionDeadline, NoPreparedTransactionIsFinishedAfterIt) {
  PlainConnection connection;
  connection.set_deadline(kPast);
  for (const auto end : {Prepared::commit, Prepared::roll_back})
    EXPECT_EQ(code_of([&] { connection.finish_prepared("p", end); }), "sql.deadline");
  EXPECT_EQ(connection.diary(), Diary());
}

TEST(ConnectionLoad, OfOneRowNeedsNoTransactionOfItsOwnAndOfMoreItDoes) {
  PlainConnection one;
  EXPECT_EQ(load(one, 1), 1);
  EXPECT_EQ(one.diary(), (Diary{"insert"}));
  PlainConnection two;
  EXPECT_EQ(load(two, 2), 2);
  EXPECT_EQ(two.diary(), (Diary{"begin", "insert", "insert", "commit"}));
  PlainConnection inside;
  inside.begin({});
  EXPECT_EQ(load(inside, 2), 2);
  EXPECT_EQ(inside.diary(), (Diary{"begin", "insert", "insert"}));
}

TEST(ConnectionDeathTest, ALoadOfAnIncompleteRowIsAMistake) {
  PlainConnection connection;
  const std::array<std::string_view, 2> columns{"a", "b"};
  const std::array values{Value(1), Value(2), Value(3)};
  EXPECT_DEATH(connection.load({.table = "t", .columns = columns, .values = values}), "incomplete");
}

TEST(ConnectionDeadline, IsPutAsideToUndoASavepointAndHoldsAgainAfterIt) {
  StubDriver driver;
  const auto connection = driver.connect({});
  connection->begin({});
  connection->savepoint(1);
  connection->set_deadline(kPast);
  connection->rollback_to(1);
  EXPECT_EQ(driver.deadline_at(StubPoint::savepoint), kNoDeadline);  // the stub's, for upkeep
  EXPECT_EQ(connection->deadline(), kPast);

  driver.at(StubPoint::savepoint, [] { throw conflict(); });
  EXPECT_EQ(code_of([&] { connection->rollback_to(1); }), "sql.serialization_failure");
  EXPECT_EQ(connection->deadline(), kPast);
}

}  // namespace
}  // namespace carrel::test
