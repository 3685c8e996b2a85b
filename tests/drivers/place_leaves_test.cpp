// What a statement is said to leave in its session, where the session is in a tenant's place: what
// its return costs, and where the next borrower finds it.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/tenants.h"

namespace carrel::test {
namespace {

using Names = std::vector<std::string>;

// In each tenant's schema: a function that writes, one that leaves a lock, one that runs what no
// text shows.
class PlacedLeaves : public Placed {
 protected:
  PlacedLeaves() {
    for (const auto& place : {a_, b_}) make_functions_in(quoted(place.schema));
    through_gate(*driver(gate_.port()));
  }

  void through_gate(Driver& driver) { connection_ = driver.connect({}); }

  // Bytes and round trips of one loan, the connection's return included.
  struct Cost {
    std::size_t bytes;
    std::uint64_t trips;
    bool operator==(const Cost&) const = default;
  };
  Cost cost(const Place& place, const std::function<void()>& steps) {
    gate_.set({});
    const auto made = trips([&] {
      in(place);
      steps();
      EXPECT_TRUE(connection_->reset());
    });
    return {gate_.asked(), made};
  }
  void post(std::string_view name, Leaves leaves) {
    connection_->execute({"select post($1)", leaves}, values_of(name));
  }
  void hold(Leaves leaves) { connection_->execute({"select hold()", leaves}); }
  void hide(const std::string& sql) {
    connection_->execute({is_postgres() ? "select hide($1)" : "call hide($1)", Leaves::nothing},
                         values_of(sql));
  }
  bool is_locked() {
    return !admin(is_postgres()
                      ? "select 1 from pg_locks where locktype = 'advisory' and objid = " +
                            std::to_string(kLock)
                      : "select 1 from dual where is_used_lock('" + own_name() + "') is not null")
                .empty();
  }

  FaultGate gate_{server_port(GetParam().port_name)};

 private:
  static constexpr int kLock = 22;

  void make_functions_in(const std::string& schema) {
    if (is_postgres()) {
      admin("create function " + schema +
            ".post(n text) returns void language plpgsql as "
            "$$ begin insert into item values (n); end $$");
      admin("create function " + schema +
            ".hold() returns void language sql as "
            "$$ select pg_advisory_lock(" +
            std::to_string(kLock) + ") $$");
      admin("create function " + schema +
            ".hide(hidden text) returns void language plpgsql as "
            "$$ begin execute hidden; end $$");
      return;
    }
    admin("create function " + schema +
          ".post(n text) returns int sql security invoker "
          "begin insert into item values (n); return 1; end");
    admin("create function " + schema +
          ".hold() returns int sql security invoker "
          "return get_lock('" +
          own_name() + "', 0)");
    admin("create procedure " + schema +
          ".hide(hidden text) sql security invoker "
          "execute immediate hidden");
  }
};

TEST_P(PlacedLeaves, ACallThatIsTrustedCostsAReturnNothingAndTheSessionStaysWhereItIs) {
  int posted = 10;
  const auto transfer = [&] {
    connection_->begin({});
    post(std::to_string(posted++), Leaves::nothing);
    connection_->commit();
  };
  cost(a_, transfer);
  cost(b_, transfer);
  const auto moved = cost(a_, transfer);
  const auto there = cost(a_, transfer);
  EXPECT_EQ(cost(a_, transfer), there);
  EXPECT_LT(there.bytes, moved.bytes);
  EXPECT_EQ(there.trips, is_postgres() ? 2U : 3U);
  EXPECT_EQ(cost(a_, [&] { post("alone", Leaves::nothing); }).trips, 1U);
  in(b_);
  expect_in(b_);
  EXPECT_TRUE(connection_->reset());
  expect_home();
  EXPECT_EQ(rows_of(a_), (Names{"10", "12", "13", "14", "alone"}));
  EXPECT_EQ(rows_of(b_), Names{"11"});
}

TEST_P(PlacedLeaves, ALockIsGivenBackInOneRoundTripAndTheSessionStaysWhereItIs) {
  const auto lock = [&] {
    hold(Leaves::locks);
    EXPECT_TRUE(is_locked());
  };
  cost(b_, lock);
  const auto moved = cost(a_, lock);
  EXPECT_FALSE(is_locked());
  const auto there = cost(a_, lock);
  EXPECT_FALSE(is_locked());
  EXPECT_EQ(cost(a_, lock), there);
  EXPECT_EQ(there.trips, 2U);
  EXPECT_LT(there.bytes, moved.bytes);
  expect_home();
  in(b_);
  expect_in(b_);
}

// On PostgreSQL the rollback takes the place back where it came along.
TEST_P(PlacedLeaves, ALockInATransactionThatWasLeftOpenIsGivenBackAndTheNextIsInItsOwnPlace) {
  for (const Place& before : {b_, a_}) {
    in(before);
    expect_in(before);
    EXPECT_TRUE(connection_->reset());
    in(a_);
    connection_->begin({});
    post("lost", Leaves::nothing);
    hold(Leaves::locks);
    EXPECT_EQ(trips([&] { EXPECT_TRUE(connection_->reset()); }), 1U);
    EXPECT_FALSE(is_locked());
    in(a_);
    expect_in(a_);
    EXPECT_TRUE(connection_->reset());
    in(b_);
    expect_in(b_);
  }
  EXPECT_EQ(rows_of(a_), Names());
}

// What the server tells along with its answers is held against where the session is meant to be.
TEST_P(PlacedLeaves, APromiseThatTheServerContradictsIsNotTrustedThereEither) {
  if (!is_postgres()) admin("grant all on " + quoted(b_.schema) + ".* to " + quoted(a_.role));
  const std::string hidden =
      is_postgres() ? "set timezone = 'Asia/Shanghai'" : "use " + quoted(b_.schema);
  // Each time another text: what MariaDB has prepared in a database stays there.
  int asked = 0;
  const auto trace = [&] {
    const std::string sql =
        is_postgres() ? "select current_setting('timezone')" : GetParam().current_schema;
    return text(*connection_, sql + " as n" + std::to_string(asked++));
  };
  in(a_);
  const auto there = trace();
  for (int i = 0; i < 2; ++i) {
    hide(hidden);
    EXPECT_NE(trace(), there);
    EXPECT_TRUE(connection_->reset());
    in(a_);
    EXPECT_EQ(trace(), there);
    expect_in(a_);
  }
  hide(hidden);
  EXPECT_TRUE(connection_->reset());
  expect_home();
}

class PlacedLeavesOnPostgres : public PlacedLeaves {
 protected:
  PlacedLeavesOnPostgres() {
    auto options = postgres_options();
    options.port = gate_.port();
    through_gate(*postgres_driver(options));
  }
};

// The server tells at once where the role becomes a superuser's, or is none any more.
TEST_P(PlacedLeavesOnPostgres, ASuperusersLoginIsNotTakenForASurpriseNorMissed) {
  const auto trusted = [&] { post(std::to_string(connection_->round_trips()), Leaves::nothing); };
  cost(b_, trusted);
  cost(a_, trusted);
  EXPECT_EQ(cost(b_, trusted).trips, 1U);
  EXPECT_EQ(cost({.schema = a_.schema}, trusted).trips, 1U);
  in(a_);
  hide("reset role");
  EXPECT_EQ(trips([&] { EXPECT_TRUE(connection_->reset()); }), 1U);
  in(a_);
  expect_in(a_);
  EXPECT_TRUE(connection_->reset());
  in({.schema = a_.schema});
  hide("set role " + quoted(b_.role));
  EXPECT_EQ(trips([&] { EXPECT_TRUE(connection_->reset()); }), 1U);
}

INSTANTIATE_TEST_SUITE_P(Server, PlacedLeavesOnPostgres, testing::Values(tenant_servers().front()),
                         [](const auto& server) { return server.param.name; });

INSTANTIATE_TEST_SUITE_P(Servers, PlacedLeaves, testing::ValuesIn(tenant_servers()),
                         [](const auto& server) { return server.param.name; });

}  // namespace
}  // namespace carrel::test
