// Servers that stop answering without a word, and servers that die and come back: real ones, which
// these tests have for themselves.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/in_time.h"
#include "carrel/db/pool.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/leftovers.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using std::array;
using std::chrono::milliseconds;

constexpr milliseconds kShort{100};
// Between attempts to connect, as documented; twice as long each time.
constexpr milliseconds kShortestPause{50};
constexpr milliseconds kLongestPause{1'600};

// How many attempts fit into `time` where a pause follows each that fails.
std::size_t attempts_in(Clock::Steady::duration time) {
  std::size_t attempts = 1;
  for (auto pause = kShortestPause; time >= pause; pause = std::min(2 * pause, kLongestPause)) {
    time -= pause;
    ++attempts;
  }
  return attempts;
}

// Counts the attempts that ended at the caller's own deadline: after those the pause is short.
class CountsHaste final : public Driver {
 public:
  explicit CountsHaste(Driver& driver) : driver_(driver) {}
  [[nodiscard]] const Traits& traits() const noexcept override { return driver_.traits(); }
  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override {
    try {
      return driver_.connect(options);
    } catch (const Error& error) {
      if (error.code() == "sql.deadline") ++hasty_;
      throw;
    }
  }
  [[nodiscard]] std::optional<std::size_t> connections_max() override {
    return driver_.connections_max();
  }
  [[nodiscard]] std::size_t hasty() const { return hasty_; }

 private:
  Driver& driver_;
  std::atomic<std::size_t> hasty_{0};
};

struct Server {
  std::string name;  // as tools/test-servers and servers.env have it, in small letters
  std::string key;   // the same in capitals
  std::function<std::unique_ptr<Driver>(std::uint16_t port)> driver;
  std::string own_id;  // the connection's own
  std::string endless;
  std::string runs;              // gives a row while the connection $1 runs it
  std::string connections;       // how many the pool has, as the server sees it
  bool has_own_process;          // whether the connection's id is that of a process
  std::int64_t beside_the_pool;  // connections of the driver's own
};

void PrintTo(const Server& server, std::ostream* out) {
  *out << server.name;
}

// Processes that stand still while this lives.
class Stopped {
 public:
  explicit Stopped(std::vector<pid_t> processes) : processes_(std::move(processes)) {
    for (const auto process : processes_) {
      EXPECT_EQ(::kill(process, SIGSTOP), 0);
      while (!stands_still(process)) std::this_thread::yield();
    }
  }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;
  ~Stopped() {
    for (const auto process : processes_) ::kill(process, SIGCONT);
  }

 private:
  static bool stands_still(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("State:")) return line.find('T') != std::string::npos;
    }
    return true;  // it has gone: nothing will come of it
  }

  std::vector<pid_t> processes_;
};

class Outage : public testing::TestWithParam<Server> {
 protected:
  [[nodiscard]] static std::uint16_t port() { return server_port(GetParam().key + "_PORT"); }
  [[nodiscard]] static pid_t process() {
    return static_cast<pid_t>(std::stol(server_setting(GetParam().key + "_PID")));
  }
  static Clock::Steady soon(milliseconds time) { return Clock::Steady::clock::now() + time; }

  // `command` is "down" or "up". Returns once it is.
  static void let_it_be(const char* command) {
    const auto folder = server_folder();
    const char* program = CARREL_TEST_SERVERS_TOOL;
    const array<const char*, 5> words = {program, command, folder.c_str(), GetParam().name.c_str(),
                                         nullptr};
    pid_t child = 0;
    ASSERT_EQ(::posix_spawn(&child, program, nullptr, nullptr,
                            const_cast<char* const*>(words.data()), environ),
              0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0) << command;
  }

  // The processes that a connection needs in order to be answered.
  static std::vector<pid_t> processes_of(std::int64_t id) {
    if (GetParam().has_own_process) return {process(), static_cast<pid_t>(id)};
    return {process()};
  }

  std::unique_ptr<Driver> driver_ = GetParam().driver(port());
};

// What a statement found that ran when its server was stopped.
struct Found {
  bool stopped_in_time = false;  // before the deadline
  std::string thrown;
  bool broken = false;
};

TEST_P(Outage, AServerThatStandsStillDuringACancelHoldsNobodyAndThePoolRecovers) {
  constexpr std::size_t size_max = 2;
  const auto observer = driver_->connect({});
  Pool pool({.name = "stopped", .size_max = size_max, .maintain_every = milliseconds(0)}, *driver_);

  Found found;
  // Again with more time where the machine was too busy to stop the server before the deadline.
  for (auto time = kShort; !found.stopped_in_time; time *= 2) {
    auto lease = pool.borrow();
    const auto id = lease->execute(GetParam().own_id).one().get<std::int64_t>(0);
    const auto deadline = soon(time);
    lease->set_deadline(deadline);
    std::atomic<bool> ended = false;
    std::thread caller([&] {
      found.thrown = thrown_by([&] { lease->execute(GetParam().endless); });
      found.broken = lease->broken();
      ended = true;
    });
    while (!ended && observer->execute(GetParam().runs, array{Value(id)}).empty()) {
    }
    {
      const Stopped still(processes_of(id));
      found.stopped_in_time = Clock::Steady::clock::now() < deadline;
      in_time([&] {
        caller.join();  // it comes back although the server does not
        lease.release();
      });
      if (!found.stopped_in_time) continue;
      EXPECT_EQ(found.thrown, "sql.deadline, retryable");
      EXPECT_TRUE(found.broken);
      in_time([&] {
        EXPECT_EQ(thrown_by([&] { pool.borrow({.deadline = soon(kShort)})->execute("select 1"); }),
                  "pool.timeout, retryable");
      });
      EXPECT_LE(pool.stats().size, size_max);
    }
  }

  std::vector<std::thread> borrowers;
  for (int i = 0; i < 8; ++i) {
    borrowers.emplace_back([&] {
      EXPECT_EQ(thrown_by([&] {
                  auto lease = pool.borrow({.deadline = soon(std::chrono::seconds(60))});
                  EXPECT_EQ(lease->execute("select 7").one().get<int>(0), 7);
                }),
                "nothing");
    });
  }
  for (auto& borrower : borrowers) borrower.join();
  EXPECT_LE(pool.stats().size, size_max);
  // What was left running is ended on the server too, long before its minute is over.
  const auto most = static_cast<std::int64_t>(size_max) + GetParam().beside_the_pool;
  while (observer->execute(GetParam().connections).one().get<std::int64_t>(0) > most) {
  }
}

TEST_P(Outage, AServerThatDiesAndComesBackIsMetAtABoundedRateAndThePoolRecovers) {
  constexpr std::size_t size_max = 4;
  FaultGate gate(port());
  const auto through = GetParam().driver(gate.port());
  CountsHaste counting(*through);
  const PoolOptions options{
      .name = "restart", .size_max = size_max, .maintain_every = milliseconds(20)};
  Pool pool(options, counting);
  const auto serves_all = [&] {
    array<Pool::Lease, size_max> leases;
    for (auto& lease : leases) lease = pool.borrow({.deadline = soon(std::chrono::seconds(60))});
    for (auto& lease : leases) EXPECT_EQ(lease->execute("select 7").one().get<int>(0), 7);
  };
  serves_all();

  let_it_be("down");
  const auto began = Clock::Steady::clock::now();
  gate.set({});
  const auto allowed = [&] {
    return options.connecting_max * attempts_in(Clock::Steady::clock::now() - began) +
           counting.hasty();
  };

  std::atomic<bool> is_up = false;
  std::atomic<int> refused = 0;
  std::vector<std::thread> borrowers;
  for (int i = 0; i < 16; ++i) {
    borrowers.emplace_back([&, patience = milliseconds(1 + i * 10)] {
      for (;;) {
        const bool was_up = is_up;
        const auto thrown =
            thrown_by([&] { pool.borrow({.deadline = soon(patience)})->execute("select 1"); });
        if (thrown == "nothing" && was_up) return;
        EXPECT_TRUE(thrown == "pool.timeout, retryable" ||
                    thrown == "sql.connection_lost, retryable" || thrown == "nothing")
            << thrown;
        EXPECT_FALSE(thrown == "nothing" && !is_up);
        ++refused;
      }
    });
  }
  // As many as pauses that did not grow would have let through in a tenth of the time.
  while (gate.knocks() < 8 + counting.hasty() || refused < 200) std::this_thread::yield();
  const auto knocks = gate.knocks();
  EXPECT_LE(knocks, allowed());
  EXPECT_LE(pool.stats().size, size_max);

  is_up = true;
  let_it_be("up");
  for (auto& borrower : borrowers) borrower.join();
  serves_all();
  EXPECT_LE(gate.knocks(), allowed() + size_max);
  EXPECT_EQ(pool.stats().size, size_max);
  EXPECT_EQ(pool.stats().waiting, 0U);
}

// SET TRANSACTION, sent before it, would hold for the next one: somebody else's.
TEST(ReadOnlyMariadb, WhatABeginThatFailedHasAskedForHoldsForNoOther) {
  const auto admin = open_mariadb();
  admin->execute("create or replace table item (id bigint primary key)");
  admin->execute("insert into item values (1)");
  admin->execute("create or replace user plain identified by 'plain'");
  admin->execute("grant select on *.* to plain");
  admin->execute("set innodb_lock_wait_timeout = 0");
  auto options = mariadb_options();
  options.user = options.password = "plain";
  const auto user = open_mariadb(options);

  admin->execute("set global read_only = 1");
  for (const auto isolation :
       {Isolation::read_committed, Isolation::repeatable_read, Isolation::serializable}) {
    user->begin({.isolation = isolation});
    // And who goes on runs nothing without a transaction.
    for (int time = 0; time < 2; ++time)
      EXPECT_EQ(thrown_by([&] { user->execute("select * from item"); }), "sql.read_only");
    user->rollback();
  }
  EXPECT_TRUE(user->reset());
  admin->execute("set global read_only = 0");

  user->begin({});
  EXPECT_EQ(user->execute("select * from item").size(), 1U);
  // Serializable, it would have locked what it read.
  EXPECT_EQ(thrown_by([&] { admin->execute("delete from item"); }), "nothing");
  user->rollback();
}

INSTANTIATE_TEST_SUITE_P(
    Servers, Outage,
    testing::Values(
        Server{.name = "postgres",
               .key = "POSTGRES",
               .driver =
                   [](std::uint16_t port) {
                     auto options = postgres_options();
                     options.port = port;
                     options.application_name = "outage";
                     return postgres_driver(ended_by_deadlines_only(options, kShort));
                   },
               .own_id = "select pg_backend_pid()",
               .endless = "select pg_sleep(60)",
               .runs = "select 1 from pg_stat_activity where pid = $1 and query like '%pg_sleep%' "
                       "and state = 'active'",
               .connections = "select count(*) from pg_stat_activity where application_name = "
                              "'outage' and pid <> pg_backend_pid()",
               .has_own_process = true,
               .beside_the_pool = 0},
        Server{.name = "mariadb",
               .key = "MARIADB",
               .driver =
                   [](std::uint16_t port) {
                     auto options = mariadb_options();
                     options.port = port;
                     return mariadb_driver(ended_by_deadlines_only(options, kShort));
                   },
               .own_id = "select connection_id()",
               .endless = "select sleep(60)",
               .runs = "select 1 from information_schema.processlist "
                       "where id = $1 and state = 'User sleep'",
               .connections = "select count(*) from information_schema.processlist "
                              "where db = database() and id <> connection_id()",
               .has_own_process = false,
               .beside_the_pool = 1}),  // for KILL
    [](const auto& server) { return server.param.key; });

// Locks that stop every writer of the server, or of a table.
TEST(MariadbOutage, LocksOnTheServerAreGoneBeforeTheNextBorrower) {
  OneConnection pool(mariadb_driver(mariadb_options()));
  const auto other = open_mariadb();
  other->execute("create or replace table item (id int)");
  other->execute("set session lock_wait_timeout = 0");
  const auto writing = [&] {
    return thrown_by([&] { other->execute("insert into item values (1)"); });
  };
  const std::vector<std::vector<const char*>> borrowers = {
      {"flush tables with read lock"},
      {"flush tables item with read lock"},
      {"flush tables item for export"},
      {"/*!flush tables with read lock*/"},
      {"call freeze()"},
      {"lock tables item read"},
      {"backup stage start", "backup stage flush", "backup stage block_ddl",
       "backup stage block_commit"},
  };
  other->execute("create or replace procedure freeze() flush tables with read lock");
  for (const auto& statements : borrowers) {
    auto lease = pool.borrow();
    for (const auto* sql : statements) lease->execute(sql);
    EXPECT_NE(writing(), "nothing") << statements.front();
    lease.release();
    lease = pool.borrow();
    EXPECT_EQ(writing(), "nothing") << statements.front();
  }
  EXPECT_EQ(pool.opened(), 1U);
}

}  // namespace
}  // namespace carrel::test
