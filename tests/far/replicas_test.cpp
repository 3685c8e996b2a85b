// COMMITs that wait for a replica which does not answer, on a real server: what is told of one
// whose wait is cut short, and what a two-phase commit makes of it. The cluster is this program's
// own (tools/test-servers, "crash").
#include <future>
#include <string>
#include <thread>

#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "far/two_shards.h"

namespace carrel::test {
namespace {

using std::array;

class Replicas : public testing::Test {
 protected:
  Replicas() {
    observer_->execute("set synchronous_commit = local");
    observer_->execute("insert into account values ('awaiting', 60, 100)");
    fixed_.open()->execute("insert into account values ('fixed', 1, 100)");
  }
  ~Replicas() override { come_back(); }

  // From now on COMMIT waits for a replica that does not exist.
  void go_away() {
    ask_for("'nobody'");
    // The server takes notice a little later, and some COMMIT is the first to wait.
    for (bool waits = false; !waits;) {
      auto commit = std::async(std::launch::async, [this] {
        awaiting_.open()->execute("select pg_logical_emit_message(true, 'a', 'test')");
      });
      while (commit.wait_for(std::chrono::seconds(0)) != std::future_status::ready && !waits)
        waits = cancel_waiting() > 0;
      try {
        commit.get();
      } catch (const Error&) {
        // Cancelled, and said so.
      }
    }
  }
  // As if it had, and had everything: all that wait go on.
  void come_back() { ask_for("default"); }

  std::int64_t backends(const std::string& what) {
    return observer_
        ->execute("select count(" + what +
                  ") from pg_stat_activity where wait_event = 'SyncRep' and "
                  "datname = current_database()")
        .one()
        .get<std::int64_t>(0);
  }
  std::int64_t cancel_waiting() { return backends("pg_cancel_backend(pid) or null"); }
  void wait_until_somebody_waits() {
    while (backends("*") == 0) std::this_thread::yield();
  }
  bool exists(const std::string& customer) {
    return !observer_
                ->execute("select 1 from account where customer = $1",
                          array{Value(std::string_view(customer))})
                .empty();
  }
  static void insert(Connection& connection, const std::string& customer) {
    connection.execute("insert into account values ($1, 60, 0)",
                       array{Value(std::string_view(customer))});
  }
  // What is thrown by a run of which some COMMIT waits, and is treated as told then.
  template <class Run, class Treat>
  std::string thrown_when(const Run& run, const Treat& treat) {
    auto thrown = std::async(std::launch::async, [&] { return thrown_by(run); });
    wait_until_somebody_waits();
    treat();
    return thrown.get();
  }
  std::string thrown_by_commit_when(Connection& connection, const std::string& customer,
                                    const std::function<void()>& treat) {
    connection.begin({});
    insert(connection, customer);
    return thrown_when([&] { connection.commit(); }, treat);
  }

  void make_session(std::chrono::milliseconds settle_max) {
    session_.emplace(SessionOptions{
        .routes = {{"fixed", &fixed_.pool(), {}}, {"awaiting", &awaiting_.pool(), {}}},
        .marker = [this]() -> std::optional<std::string_view> { return *route_.find(); },
        .two_phase = TwoPhase{.name = own_name(), .settle_max = settle_max}});
  }
  void add(const char* route, std::int64_t amount) {
    const auto bound = route_.bind(std::string(route));
    session_->execute("update account set balance = balance + $1", amount);
  }
  // The awaiting one decides.
  Together transfer() {
    const Scope scope({.name = "a transfer"});
    return session_->together({}, [&] { add("fixed", -10); }, [&] { add("awaiting", 10); });
  }
  Recovery recover(std::chrono::milliseconds wait_max) {
    const Scope scope({.name = "a recovery"});
    return session_->recover(wait_max);
  }
  void expect_transferred() {
    EXPECT_EQ(fixed_.number("select balance from account"), 90);
    EXPECT_EQ(awaiting_.number("select balance from account"), 110);
    EXPECT_EQ(fixed_.prepared() + awaiting_.prepared(), 0);
  }

  FaultGate gate_{server_port("CRASH_PORT")};
  Shard fixed_{"FIXED"};
  Shard awaiting_{"CRASH", gate_.port()};
  std::unique_ptr<Connection> observer_ = awaiting_.open();
  RequestLocal<std::string> route_{"route"};
  std::optional<Session> session_;

 private:
  void ask_for(const std::string& replicas) {
    observer_->execute("alter system set synchronous_standby_names = " + replicas);
    observer_->execute("select pg_reload_conf()");
  }
};

TEST_F(Replicas, ACommitWhoseWaitIsCancelledIsInDoubt) {
  go_away();
  const auto connection = awaiting_.open();
  EXPECT_EQ(thrown_by_commit_when(*connection, "a", [&] { cancel_waiting(); }),
            "sql.cancelled, in doubt");
  EXPECT_TRUE(exists("a"));
  EXPECT_FALSE(connection->broken());
}

// The server warns, and closes the link without another word.
TEST_F(Replicas, ACommitWhoseServerIsToldToEndIsInDoubt) {
  go_away();
  const auto connection = awaiting_.open();
  EXPECT_EQ(thrown_by_commit_when(*connection, "a", [&] { backends("pg_terminate_backend(pid)"); }),
            "sql.cancelled, in doubt");
  EXPECT_TRUE(exists("a"));
}

TEST_F(Replicas, AWriteThatCommitsByItselfIsInDoubtWhenItsWaitIsCancelled) {
  go_away();
  const auto connection = awaiting_.open();
  EXPECT_EQ(thrown_when([&] { insert(*connection, "a"); }, [&] { cancel_waiting(); }),
            "sql.cancelled, in doubt");
  EXPECT_EQ(thrown_when([&] { insert(*connection, "b"); }, [&] { cancel_waiting(); }),
            "sql.cancelled, in doubt");  // prepared by now
  EXPECT_EQ(thrown_when(
                [&] {
                  connection->load(
                      {.table = "account",
                       .columns = array<std::string_view, 3>{"customer", "bucket", "balance"},
                       .values = array{Value("c"), Value(60), Value(0)}});
                },
                [&] { cancel_waiting(); }),
            "sql.cancelled, in doubt");
  EXPECT_TRUE(exists("a") && exists("b") && exists("c"));
}

TEST_F(Replicas, AWriteThatCommitsByItselfIsInDoubtAtItsDeadline) {
  go_away();
  const auto connection = awaiting_.open();
  connection->set_deadline(Clock::Steady::clock::now() + std::chrono::milliseconds(50));
  EXPECT_EQ(thrown_by([&] { insert(*connection, "a"); }), "sql.deadline, in doubt");
  EXPECT_TRUE(exists("a"));
}

TEST_F(Replicas, TheNextCommitIsNotTakenForTheOneThatWasCancelled) {
  go_away();
  const auto connection = awaiting_.open();
  EXPECT_NE(thrown_when([&] { insert(*connection, "a"); }, [&] { cancel_waiting(); }), "nothing");
  connection->execute("set synchronous_commit = local");
  connection->begin({});
  insert(*connection, "b");
  EXPECT_EQ(thrown_by([&] { connection->commit(); }), "nothing");
}

TEST_F(Replicas, WhoAsksWhatBecameOfACommitWaitsForThemToo) {
  auto options = cluster("CRASH");
  options.database = own_name();
  options.port = gate_.port();
  options.resolve_max = std::chrono::seconds(60);
  const auto connection = postgres_driver(options)->connect({});
  go_away();
  const auto cut = [&] {
    gate_.set({.cut_after = 0, .spare_new = true});
    backends("pg_terminate_backend(pid)");
    wait_until_somebody_waits();  // who asks
    come_back();
  };
  EXPECT_EQ(thrown_by_commit_when(*connection, "a", cut), "nothing");
  EXPECT_TRUE(exists("a"));
}

TEST_F(Replicas, WhatTheyAreNotKnownToHaveStaysInDoubtForWhoAsks) {
  auto options = cluster("CRASH");
  options.database = own_name();
  options.resolve_max = std::chrono::milliseconds(200);
  const auto connection = postgres_driver(options)->connect({});
  go_away();
  EXPECT_EQ(thrown_by_commit_when(*connection, "a", [&] { backends("pg_terminate_backend(pid)"); }),
            "sql.cancelled, in doubt");
}

// The row of the log is there to be read, but a replica that takes over would not have it.
TEST_F(Replicas, ADecisionThatTheyAreNotKnownToHaveIsNone) {
  make_session(std::chrono::milliseconds(300));
  go_away();
  EXPECT_EQ(thrown_when([&] { transfer(); }, [&] { backends("pg_terminate_backend(pid)"); }),
            "sql.cancelled, in doubt");
  EXPECT_EQ(fixed_.prepared(), 1);
  EXPECT_EQ(recover(std::chrono::milliseconds(300)).in_doubt.size(), 1U);
  EXPECT_EQ(fixed_.prepared(), 1);
  come_back();
  EXPECT_EQ(recover(std::chrono::seconds(30)).committed, 1U);
  expect_transferred();
}

TEST_F(Replicas, ADecisionWhoseLinkIsCutIsAskedForUntilTheyHaveIt) {
  make_session(std::chrono::seconds(60));
  go_away();
  const auto cut = [&] {
    gate_.set({.cut_after = 0, .spare_new = true});  // no warning comes through
    backends("pg_terminate_backend(pid)");
    wait_until_somebody_waits();
    come_back();
  };
  EXPECT_EQ(thrown_when([&] { EXPECT_EQ(transfer(), Together::committed); }, cut), "nothing");
  expect_transferred();
}

// Here it is the other one's end that a replica may not have: it would still be prepared there.
TEST_F(Replicas, NoDecisionIsForgottenBeforeTheyHaveWhatItDecided) {
  make_session(std::chrono::seconds(30));
  const auto decide_elsewhere = [&] {
    const Scope scope({.name = "a transfer"});
    session_->together({}, [&] { add("awaiting", 10); }, [&] { add("fixed", -10); });
  };
  decide_elsewhere();
  go_away();
  EXPECT_EQ(recover(std::chrono::milliseconds(500)).forgotten, 0U);
  come_back();
  EXPECT_EQ(recover(std::chrono::seconds(30)).forgotten, 1U);
  expect_transferred();
}

}  // namespace
}  // namespace carrel::test
