// What a statement is said to leave in its session, on the two real servers: what that saves when
// the connection is returned, and what the next borrower finds all the same.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

constexpr const char* kPost = "select post($1)";
constexpr const char* kSelect = "select n from item where id = $1";

// A function of the application's that leaves nothing, one that leaves a lock, and a trigger that
// leaves a setting.
class SessionLeaves : public testing::TestWithParam<std::string> {
 protected:
  SessionLeaves()
      : driver_(postgres() ? postgres_driver(postgres_options())
                           : mariadb_driver(mariadb_options())) {
    const auto maker = driver_->connect({});
    const std::span<const char* const> made(postgres() ? std::span<const char* const>(kInPostgres)
                                                       : std::span<const char* const>(kInMariadb));
    for (const auto* sql : made) maker->execute(sql);
    pool_.emplace(PoolOptions{.name = "one",
                              .size_max = 1,
                              .validate_after = std::chrono::hours(1),
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(
        SessionOptions{.routes = {{"all", &*pool_, {}}}, .pause = [](std::chrono::nanoseconds) {}});
  }
  static bool postgres() { return GetParam() == "Postgres"; }

  // Of the second time, when all has been prepared; the return of the connection included.
  std::uint64_t trips(const std::function<void()>& run) {
    run();
    const auto before = pool_->borrow()->round_trips();
    run();
    return pool_->borrow()->round_trips() - before;
  }
  void post(Leaves leaves = Leaves::unsaid) { session_->execute({kPost, leaves}, 1); }
  static Batch two_posts(Leaves leaves = Leaves::unsaid) {
    return Batch().add({kPost, leaves}, 1).add({kPost, leaves}, 2);
  }
  [[nodiscard]] bool finds(const char* in_postgres, const char* in_mariadb) {
    return !pool_->borrow()->execute(postgres() ? in_postgres : in_mariadb).empty();
  }
  [[nodiscard]] bool finds_setting() {
    return finds("select 1 where current_setting('work_mem') = '7MB'",
                 "select 1 from dual where @@sort_buffer_size = 1048576");
  }
  [[nodiscard]] bool finds_lock() {
    return finds(
        "select 1 from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
        "select 1 from dual where is_used_lock(concat(database(), 'left')) = connection_id()");
  }
  static Statement taking_a_lock(Leaves leaves) {
    return {postgres() ? "select pg_advisory_lock(hashtext(current_schema()))"
                       : "select get_lock(concat(database(), 'left'), 0)",
            leaves};
  }
  // Cleaning all, and on MariaDB preparing the statement anew.
  static std::uint64_t cleaning() { return postgres() ? 1 : 3; }

  static constexpr auto kInPostgres = std::to_array<const char*>({
      "drop table if exists item, watched",
      "create table item (id bigint primary key, n bigint)",
      "insert into item values (1, 0), (2, 0)",
      "create table watched (id bigint)",
      "create or replace function post(wanted bigint) returns bigint language sql as "
      "$$ update item set n = n + 1 where id = wanted returning n $$",
      "create or replace function hold() returns void language sql as "
      "$$ select pg_advisory_lock(hashtext(current_schema())) $$",
      "create or replace function disturb() returns trigger language plpgsql as "
      "$$ begin perform set_config('work_mem', '7MB', false); return new; end $$",
      "create trigger disturbing before insert on watched for each row "
      "execute function disturb()",
      "create or replace function hide(hidden text) returns void language plpgsql as "
      "$$ begin execute hidden; end $$",
  });
  static constexpr auto kInMariadb = std::to_array<const char*>({
      "drop table if exists item, watched",
      "create table item (id bigint primary key, n bigint)",
      "insert into item values (1, 0), (2, 0)",
      "create table watched (id bigint)",
      "create or replace function post(wanted bigint) returns bigint "
      "begin update item set n = n + 1 where id = wanted; return 1; end",
      "create or replace function hold() returns bigint "
      "return get_lock(concat(database(), 'left'), 0)",
      "create or replace trigger disturbing before insert on watched for each row "
      "set session sort_buffer_size = 1048576",
      "create or replace procedure hide(hidden text) execute immediate hidden",
  });

  std::unique_ptr<Driver> driver_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  const Scope scope_{{.name = "a test"}};
};

TEST_P(SessionLeaves, ACallThatIsSaidToLeaveNothingCostsNothingMore) {
  const std::uint64_t begin = postgres() ? 0 : 1;
  const std::uint64_t batch = postgres() ? 1 : 4;
  EXPECT_EQ(trips([&] { post(Leaves::nothing); }), 1U);
  EXPECT_EQ(trips([&] { session_->transaction([&] { post(Leaves::nothing); }); }), begin + 2);
  EXPECT_EQ(trips([&] { session_->batch(two_posts(Leaves::nothing)); }), batch);

  EXPECT_EQ(trips([&] { post(); }), 1 + cleaning());
  EXPECT_EQ(trips([&] { session_->transaction([&] { post(); }); }), begin + 2 + cleaning());
  EXPECT_EQ(trips([&] { session_->batch(two_posts()); }), batch + cleaning());
  EXPECT_EQ(trips([&] {
              session_->transaction([&] {
                post(Leaves::nothing);
                post();
              });
            }),
            begin + 3 + cleaning());
  EXPECT_EQ(trips([&] { session_->execute({kSelect, Leaves::anything}, 1); }), 1 + cleaning());
}

TEST_P(SessionLeaves, LocksAloneAreGivenBackInOneRoundTrip) {
  const Statement hidden("select hold()", Leaves::locks);
  for (const auto& statement : {taking_a_lock(Leaves::unsaid), taking_a_lock(Leaves::nothing),
                                taking_a_lock(Leaves::locks), hidden}) {
    session_->transaction([&] {
      session_->execute(statement);
      session_->execute(kSelect, 1);
    });
    EXPECT_FALSE(finds_lock()) << statement.text;
    EXPECT_EQ(trips([&] { session_->execute(statement); }), 2U) << statement.text;
    EXPECT_FALSE(finds_lock()) << statement.text;
  }
  EXPECT_EQ(trips([&] { session_->execute("select hold()"); }), 1 + cleaning());
}

TEST_P(SessionLeaves, LocksInAnOpenTransactionAreGivenBackAlongWithItsRollback) {
  for (int i = 0; i < 2; ++i) {
    auto lease = pool_->borrow();
    lease->begin({});
    lease->execute(taking_a_lock(Leaves::unsaid));
    lease->execute({kPost, Leaves::nothing}, std::array{Value(1)});
    const auto before = lease->round_trips();
    lease.release();
    lease = pool_->borrow();
    EXPECT_EQ(lease->round_trips(), before + 1);
    EXPECT_FALSE(lease->in_transaction());
    EXPECT_EQ(lease->execute(kSelect, std::array{Value(1)}).one().get<int>(0), 0);
    lease.release();
    EXPECT_FALSE(finds_lock());
  }
}

TEST_P(SessionLeaves, WhatATriggerIsSaidToLeaveIsCleaned) {
  constexpr const char* insert = "insert into watched values (1)";
  session_->execute({insert, Leaves::anything});
  EXPECT_FALSE(finds_setting());
  session_->batch(Batch().add({insert, Leaves::anything}));
  EXPECT_FALSE(finds_setting());
  session_->execute(insert);
  EXPECT_TRUE(finds_setting());  // nobody has said so, and nobody can know
}

TEST_P(SessionLeaves, WhatTheTextShowsCountsWhateverIsSaid) {
  const char* set = postgres() ? "set work_mem = '7MB'" : "set session sort_buffer_size = 1048576";
  for (const auto leaves : {Leaves::nothing, Leaves::locks}) {
    session_->execute({set, leaves});
    EXPECT_FALSE(finds_setting());
    session_->execute({"create temporary table leftover (id int)", leaves});
    EXPECT_FALSE(finds("select 1 from pg_class where relname = 'leftover'",
                       "select 1 from information_schema.tables where table_name = 'leftover'"));
    // Else it would be there already.
    EXPECT_NO_THROW(session_->execute({"create temporary table leftover (id int)", leaves}));
    if (postgres()) continue;
    session_->execute({"/*!set session sort_buffer_size = 1048576*/", leaves});
    EXPECT_FALSE(finds_setting());
  }
}

// What the server tells along with its answers.
TEST_P(SessionLeaves, APromiseThatTheServerContradictsIsNotTrusted) {
  struct Broken {
    const char* hidden;
    const char* trace;
  };
  const std::vector<Broken> broken =
      postgres()
          ? std::vector<Broken>{{"set timezone = 'Asia/Shanghai'",
                                 "select 1 where current_setting('timezone') = 'Asia/Shanghai'"},
                                {"set session authorization pg_monitor",
                                 "select 1 where session_user = 'pg_monitor'"},
                                {"set role pg_monitor",
                                 "select 1 where current_user = 'pg_monitor'"},
                                {"set default_transaction_read_only = on",
                                 "select 1 where current_setting("
                                 "'default_transaction_read_only') = 'on'"}}
          : std::vector<Broken>{
                {"start transaction", "select 1 from dual where @@in_transaction = 1"},
                {"set session autocommit = 0", "select 1 from dual where @@autocommit = 0"},
                {"use carrel", "select 1 from dual where database() = 'carrel'"}};
  const Statement hide(postgres() ? "select hide($1)" : "call hide($1)", Leaves::nothing);
  for (const auto& [hidden, trace] : broken) {
    auto lease = pool_->borrow();
    lease->execute(hide, std::array{Value(hidden)});
    if (std::string_view(hidden) == "start transaction") lease->execute("delete from item");
    EXPECT_FALSE(lease->execute(trace).empty()) << hidden << " left no trace";
    lease.release();
    EXPECT_TRUE(pool_->borrow()->execute(trace).empty()) << hidden;
  }
  EXPECT_EQ(pool_->borrow()->execute("select * from item").size(), 2U);
  EXPECT_EQ(pool_->stats().created, 1U);
}

INSTANTIATE_TEST_SUITE_P(Servers, SessionLeaves, testing::Values("Postgres", "Mariadb"),
                         [](const auto& server) { return server.param; });

}  // namespace
}  // namespace carrel::test
