// Cancelling, deadlines, lost backends and what a borrower leaves behind.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/in_time.h"
#include "carrel/db/pool.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;
using std::chrono::milliseconds;

class PostgresTrouble : public testing::Test {
 protected:
  PostgresTrouble() {
    run("drop table if exists item");
    run("create table item (id bigint primary key)");
  }

  Result run(std::string_view sql) { return connection_->execute(sql); }
  std::string failing(std::string_view sql) {
    return thrown_by([&] { run(sql); });
  }
  void time_left(milliseconds left) {
    connection_->set_deadline(Clock::Steady::clock::now() + left);
  }
  std::int64_t count() {
    return open_postgres()->execute("select count(*) from item").one().get<std::int64_t>(0);
  }
  // Cancels as soon as the server says that the connection runs something.
  std::thread cancel_when_running() {
    const auto backend = backend_of(*connection_);
    return std::thread([this, backend] {
      const auto watcher = open_postgres();
      const array parameters = {Value(backend)};
      while (watcher
                 ->execute("select 1 from pg_stat_activity where pid = $1 and state = 'active'",
                           parameters)
                 .empty()) {
      }
      connection_->cancel();
    });
  }

  std::unique_ptr<Connection> connection_ = open_postgres();
};

TEST_F(PostgresTrouble, CancelEndsTheRunningStatement) {
  auto canceller = cancel_when_running();
  EXPECT_EQ(failing("select pg_sleep(60)"), "sql.cancelled, retryable");
  canceller.join();
  EXPECT_FALSE(connection_->broken());
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(PostgresTrouble, CancelEndsALoadThatWaits) {
  const auto other = open_postgres();
  other->begin({});
  other->execute("lock table item");
  auto canceller = cancel_when_running();
  const array columns = {std::string_view("id")};
  const array values = {Value(1)};
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "item", .columns = columns, .values = values});
            }),
            "sql.cancelled, retryable");
  canceller.join();
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(PostgresTrouble, CancelWithNothingRunningHitsNothing) {
  connection_->cancel();
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

TEST_F(PostgresTrouble, CancelsThatRaceWithStatementsHitNoLaterOne) {
  std::atomic<bool> done = false;
  std::thread canceller([&] {
    while (!done) connection_->cancel();
  });
  int ended = 0;
  for (int i = 0; i < 50; ++i) {
    const auto thrown = failing("select count(*) from generate_series(1, 20000)");
    EXPECT_TRUE(thrown == "nothing" || thrown == "sql.cancelled, retryable") << thrown;
    ended += thrown == "nothing" ? 0 : 1;
  }
  done = true;
  canceller.join();
  EXPECT_FALSE(connection_->broken());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(failing("select 1"), "nothing");
  RecordProperty("cancelled", ended);
}

TEST_F(PostgresTrouble, TheDeadlineEndsAStatementAndKeepsTheConnection) {
  time_left(milliseconds(30));
  EXPECT_EQ(failing("select pg_sleep(60)"), "sql.deadline, retryable");
  EXPECT_FALSE(connection_->broken());
  connection_->set_deadline(kNoDeadline);
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
}

// A server that always has more to say than was read so far lets nobody wait, and so no wait end.
TEST_F(PostgresTrouble, TheDeadlineEndsAnAnswerThatNeverPauses) {
  time_left(milliseconds(30));
  EXPECT_EQ(failing("select repeat('x', 1000000) from generate_series(1, 400)"),
            "sql.deadline, retryable");
}

// Memory of which the system tells whether anybody has read it.
class Untouched {
 public:
  Untouched() : page_(::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
  Untouched(const Untouched&) = delete;
  Untouched& operator=(const Untouched&) = delete;
  ~Untouched() { ::munmap(page_, kBytes); }

  [[nodiscard]] Value bytes() const {
    return Value(std::span(static_cast<const std::byte*>(page_), kBytes));
  }
  [[nodiscard]] bool was_read() const {
    unsigned char resident = 1;
    EXPECT_EQ(::mincore(page_, kBytes, &resident), 0);
    return (resident & 1) != 0;
  }

 private:
  static constexpr std::size_t kBytes = 4'096;
  void* page_;
};

// Rows that the server takes as fast as they come.
TEST_F(PostgresTrouble, TheDeadlineEndsALoadThatNeverPauses) {
  constexpr std::array<std::string_view, 1> columns = {"content"};
  const std::string content(1'000, 'x');
  std::vector<Value> values(1'000'000, Value(std::as_bytes(std::span(content))));
  const Untouched last;
  values.back() = last.bytes();
  run("drop table if exists heap");
  run("create table heap (content bytea)");
  time_left(milliseconds(30));
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "heap", .columns = columns, .values = values});
            }),
            "sql.deadline, retryable");
  EXPECT_FALSE(last.was_read());
  EXPECT_FALSE(connection_->broken());
  connection_->set_deadline(kNoDeadline);
  EXPECT_EQ(run("select count(*) from heap").one().get<int>(0), 0);
}

// libpq's request to cancel waits for as long as the server lets it. Its socket is one of the
// pool's.
TEST_F(PostgresTrouble, ACancelThatHangsKeepsItsPlaceInThePool) {
  FaultGate gate(server_port("POSTGRES_PORT"));
  auto options = postgres_options();
  options.port = gate.port();
  options.grace = milliseconds(40);
  const auto driver = postgres_driver(options);
  Pool pool({.name = "hole", .size_max = 1, .size_min = 0, .maintain_every = milliseconds(0)},
            *driver);
  {
    auto lease = pool.borrow();
    lease->set_deadline(Clock::Steady::clock::now() + milliseconds(200));
    gate.set({});
    std::thread hole([&] {
      while (gate.asked() == 0) std::this_thread::yield();
      gate.set({.black_hole = true});
    });
    EXPECT_EQ(thrown_by([&] { lease->execute("select pg_sleep(600)"); }).substr(0, 12),
              "sql.deadline");
    hole.join();
  }
  EXPECT_EQ(pool.stats().closed_broken, 1U);
  EXPECT_EQ(pool.stats().size, 1U);
  EXPECT_EQ(
      thrown_by([&] {
        static_cast<void>(pool.borrow({.deadline = Clock::Steady::clock::now() + milliseconds(1)}));
      }),
      "pool.timeout, retryable");

  gate.set({});
  in_time([&] {
    while (pool.stats().size != 0) pool.maintain();
  });
  EXPECT_EQ(pool.borrow()->execute("select 7").one().get<int>(0), 7);
}

TEST_F(PostgresTrouble, AStatementWhoseConnectionIsGivenUpDoesNotRunOn) {
  auto options = postgres_options();
  options.grace = milliseconds(0);  // which no cancel request is made within
  connection_ = open_postgres(options);
  const auto backend = backend_of(*connection_);
  time_left(milliseconds(30));
  EXPECT_EQ(failing("select pg_sleep(600)"), "sql.deadline, retryable");
  EXPECT_TRUE(connection_->broken());
  const auto watcher = open_postgres();
  in_time([&] {
    const array parameters = {Value(backend)};
    while (!watcher
                ->execute("select 1 from pg_stat_activity where pid = $1 and state = 'active'",
                          parameters)
                .empty()) {
      std::this_thread::yield();
    }
  });
}

TEST_F(PostgresTrouble, TheDeadlineEndsABatchThatCommitsAndNothingIsLeft) {
  const array items = {BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "select pg_sleep(60)", .parameters = {}}};
  time_left(milliseconds(50));
  connection_->begin({});
  EXPECT_EQ(thrown_by([&] { connection_->batch_and_commit(items); }), "sql.deadline, retryable");
  connection_->rollback();
  EXPECT_FALSE(connection_->broken());
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTrouble, CommitIsNotSentAfterTheDeadline) {
  connection_->begin({});
  run("insert into item values (1)");
  connection_->set_deadline(Clock::Steady::clock::now() - milliseconds(1));
  const auto trips = connection_->round_trips();
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.deadline, retryable");
  EXPECT_EQ(connection_->round_trips(), trips + 1);  // the ROLLBACK
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTrouble, ABackendKilledWhileIdleIsNoticed) {
  kill_backend(*connection_);
  EXPECT_FALSE(connection_->validate());
  EXPECT_TRUE(connection_->broken());
}

TEST_F(PostgresTrouble, AReadOnAKilledBackendMayBeRepeated) {
  kill_backend(*connection_);
  EXPECT_EQ(failing("select 1"), "sql.connection_lost, retryable");
  EXPECT_TRUE(connection_->broken());
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(PostgresTrouble, ABackendKilledBetweenBeginAndTheFirstStatementLosesNothing) {
  const auto backend = backend_of(*connection_);
  connection_->begin({});
  kill_backend(backend);
  EXPECT_EQ(failing("insert into item values (1)"), "sql.connection_lost, retryable");
}

TEST_F(PostgresTrouble, ABackendKilledMidQueryIsNotInDoubtInsideATransaction) {
  connection_->begin({});
  run("insert into item values (1)");
  const auto backend = backend_of(*connection_);
  std::thread killer([&] {
    open_postgres()->execute("select pg_terminate_backend($1::int)", array{Value(backend)});
  });
  EXPECT_EQ(failing("select pg_sleep(60)"), "sql.connection_lost, retryable");
  killer.join();
  connection_->rollback();
  EXPECT_TRUE(connection_->broken());
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTrouble, ABackendKilledBeforeCommitIsInDoubt) {
  connection_->begin({});
  run("insert into item values (1)");
  kill_backend(*connection_);
  EXPECT_EQ(thrown_by([&] { connection_->commit(); }), "sql.connection_lost, in doubt");
  EXPECT_TRUE(connection_->broken());
  EXPECT_FALSE(connection_->in_transaction());
}

TEST_F(PostgresTrouble, ResetOfACleanConnectionCostsNothing) {
  run("insert into item values (1)");
  run("select coalesce(max(id), 0), count(*) from item where id in (1, 2)");
  run("update item set id = 2 where id = (select min(id) from item)");
  connection_->begin({});
  run("with gone as (delete from item returning id) select * from gone");
  connection_->commit();
  const auto trips = connection_->round_trips();
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(connection_->round_trips(), trips);
}

TEST_F(PostgresTrouble, ResetRollsBackWhatIsOpen) {
  connection_->begin({});
  run("insert into item values (1)");
  run("set work_mem = '7MB'");
  const auto trips = connection_->round_trips();
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(connection_->round_trips(), trips + 1);
  EXPECT_FALSE(connection_->in_transaction());
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTrouble, ResetKeepsWhatTheConnectionWasOpenedWith) {
  run("set timezone = 'Asia/Shanghai'");
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(run("show timezone").one().get<std::string>(0), "UTC");
}

TEST_F(PostgresTrouble, DiscardAllForgetsThePreparedStatements) {
  run("select 1");
  run("discard all");
  EXPECT_EQ(run("select 1").one().get<int>(0), 1);
}

TEST_F(PostgresTrouble, APreparedStatementThatVanishedIsMadeAnew) {
  run("select 1");
  run("do $$ begin execute 'deallocate all'; end $$");
  EXPECT_EQ(run("select 1").one().get<int>(0), 1);
}

// Nothing of the contract leaves a COPY or a pipeline behind. What comes close: a COPY as a
// statement, a load that is refused in the middle, a batch that is.
TEST_F(PostgresTrouble, ACopyIsNeverLeftOpen) {
  for (const auto* sql : {"copy item from stdin", "copy item to stdout"}) {
    EXPECT_EQ(failing(sql), "sql.unsupported") << sql;
    if (!connection_->reset()) connection_ = open_postgres();
    EXPECT_EQ(run("select 7").one().get<int>(0), 7) << sql;
  }
  const array columns = {std::string_view("id")};
  const array values = {Value(1), Value(1)};
  EXPECT_EQ(thrown_by([&] {
              connection_->load({.table = "item", .columns = columns, .values = values});
            }),
            "sql.unique_violation");
  EXPECT_TRUE(connection_->reset());
  EXPECT_EQ(run("select 7").one().get<int>(0), 7);
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresTrouble, APipelineIsNeverLeftOpen) {
  const array items = {BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "insert into item values (1)", .parameters = {}},
                       BatchItem{.statement = "insert into item values (2)", .parameters = {}}};
  connection_->begin({});
  EXPECT_EQ(thrown_by([&] { static_cast<void>(connection_->batch(items)); }),
            "sql.unique_violation");
  EXPECT_TRUE(connection_->reset());
  const array columns = {std::string_view("id")};
  const array values = {Value(3)};  // COPY: no pipeline allows it
  connection_->load({.table = "item", .columns = columns, .values = values});
  EXPECT_EQ(count(), 1);
}

}  // namespace
}  // namespace carrel::test
