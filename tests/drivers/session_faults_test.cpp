// Seven propagation modes, inside and outside a transaction, when BEGIN fails, when what was put
// aside fails as it is taken up again, and when COMMIT fails; on the two real servers through the
// fault gate, with one connection and with several. SQLite: tests/session/sqlite_faults_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {
namespace {

using Rows = std::vector<int>;
using P = Propagation;

constexpr std::array kModes = {P::required,      P::requires_new, P::nested, P::supports,
                               P::not_supported, P::mandatory,    P::never};

bool begins_outside(P mode) {
  return mode == P::required || mode == P::requires_new || mode == P::nested;
}
bool joins_inside(P mode) {
  return mode == P::required || mode == P::supports || mode == P::mandatory;
}
bool puts_aside(P mode) {
  return mode == P::requires_new || mode == P::not_supported;
}

// What the tests say of every mode, on every database.
class SessionFaults : public testing::Test {
 protected:
  void use(std::unique_ptr<Driver> direct, std::unique_ptr<Driver> through, std::size_t size) {
    direct_ = std::move(direct);
    driver_ = std::move(through);
    observer_ = direct_->connect({});
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key)");
    pool_.emplace(PoolOptions{.name = "faults",
                              .size_max = size,
                              .acquire_max = std::chrono::seconds(60),
                              .label = scope_label,
                              .validate_after = std::chrono::hours(1),
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(SessionOptions{.routes = {{"all", &*pool_, {{"item", "item"}}}}});
    size_ = size;
  }

  void insert(int id) { session_->execute("insert into {item} values ($1)", id); }
  Rows rows() {
    Rows ids;
    for (const Row row : observer_->execute("select id from item order by id"))
      ids.push_back(row.get<int>(0));
    return ids;
  }
  // Every connection of the pool is open, and has the statement prepared.
  void warm_up() {
    std::vector<Pool::Lease> all;
    for (std::size_t i = 0; i < std::min<std::size_t>(size_, 2); ++i) {
      all.push_back(pool_->borrow());
      all.back()->begin({});
      all.back()->execute("insert into item values ($1)", std::array{Value(-1)});
      all.back()->rollback();
    }
  }
  // Nothing is lent, nobody is in a transaction, and every place works and sees the same rows.
  void expect_whole(const Rows& expected, const std::string& what) {
    EXPECT_FALSE(session_->in_transaction()) << what;
    EXPECT_EQ(pool_->stats().active, 0U) << what;
    EXPECT_EQ(rows(), expected) << what;
    std::vector<Pool::Lease> all;
    for (std::size_t i = 0; i < std::min<std::size_t>(size_, 2); ++i) {
      all.push_back(pool_->borrow());
      EXPECT_EQ(all.back()->execute("select count(*) from item").one().get<std::size_t>(0),
                expected.size())
          << what;
    }
    all.clear();
    observer_->execute("delete from item");
  }
  static std::string name(P mode, bool inside) {
    return "mode " + std::to_string(static_cast<int>(mode)) + (inside ? ", inside" : ", outside");
  }

  std::unique_ptr<Driver> direct_;
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Connection> observer_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  std::size_t size_ = 0;
  const Scope scope_{{.name = "a test"}};
};

using Param = std::tuple<std::string, std::size_t>;  // database, connections

class OnServers : public SessionFaults, public testing::WithParamInterface<Param> {
 protected:
  OnServers() : gate_(server_port(postgres() ? "POSTGRES_PORT" : "MARIADB_PORT")) {
    use(driver(0), driver(gate_.port()), std::get<1>(GetParam()));
  }
  ~OnServers() override { gate_.set({}); }

  static bool postgres() { return std::get<0>(GetParam()) == "Postgres"; }
  static std::unique_ptr<Driver> driver(std::uint16_t port) {
    if (postgres()) {
      auto options = postgres_options();
      if (port != 0) options.port = port;
      return postgres_driver(options);
    }
    auto options = mariadb_options();
    if (port != 0) options.port = port;
    return mariadb_driver(options);
  }
  // The next answer of the server is cut off; the server has heard all that was asked.
  void cut_answers() { gate_.set({.cut_after = 0}); }
  void cut_questions() { gate_.set({.cut_asked = 0}); }
  void heal() { gate_.set({}); }
  [[nodiscard]] bool gives_a_second() const { return size_ > 1; }

  std::string insert_in(P mode, int id) {
    return thrown_by([&] { session_->transaction({.propagation = mode}, [&] { insert(id); }); });
  }

  FaultGate gate_;
};

const std::string kLost = "sql.connection_lost, retryable";
const std::string kDoubt = "sql.connection_lost, in doubt";

TEST_P(OnServers, ABeginThatIsCutOffOutsideLosesNothingAndMayBeRepeated) {
  for (const auto mode : kModes) {
    SCOPED_TRACE(name(mode, false));
    warm_up();
    cut_answers();
    const auto thrown = insert_in(mode, 2);
    heal();
    if (begins_outside(mode)) {
      EXPECT_EQ(thrown, kLost);
      expect_whole({}, "begins");
    } else if (mode == P::mandatory) {
      EXPECT_EQ(thrown, "no_transaction");
      expect_whole({}, "refused");
    } else {  // no BEGIN: the statement commits by itself, and the server has heard it
      EXPECT_EQ(thrown, kDoubt);
      expect_whole({2}, "alone");
    }
  }
}

TEST_P(OnServers, ABeginOrFirstStatementThatIsCutOffInsideTakesWithItWhatItIsPartOf) {
  for (const auto mode : kModes) {
    SCOPED_TRACE(name(mode, true));
    warm_up();
    std::string inner;
    const auto outer = thrown_by([&] {
      session_->transaction([&] {
        insert(1);
        cut_answers();
        inner = insert_in(mode, 2);
        heal();
      });
    });
    if (mode == P::never) {
      EXPECT_EQ(inner, "transaction_exists");
      EXPECT_EQ(outer, "nothing");
      expect_whole({1}, "never");
    } else if (puts_aside(mode) && !gives_a_second()) {
      EXPECT_EQ(inner, "would_deadlock");
      EXPECT_EQ(outer, "nothing");
      expect_whole({1}, "refused");
    } else if (puts_aside(mode)) {  // the second connection is lost, the first is as it was
      const bool alone = mode == P::not_supported;
      EXPECT_EQ(inner, alone ? kDoubt : kLost);
      EXPECT_EQ(outer, "nothing");
      expect_whole(alone ? Rows{1, 2} : Rows{1}, "put aside");
    } else {  // the savepoint is on the one connection, and so are all that join
      EXPECT_EQ(inner, kLost);
      EXPECT_EQ(outer, joins_inside(mode) ? "rolled_back" : "sql.transaction_lost");
      expect_whole({}, "lost");
    }
  }
}

TEST_P(OnServers, WhatIsTakenUpAgainOnALostConnectionIsRolledBackAndWhatEndedStands) {
  for (const auto mode : kModes) {
    for (const bool at_commit : {false, true}) {
      SCOPED_TRACE(name(mode, true) + (at_commit ? ", COMMIT next" : ", a statement next"));
      warm_up();
      std::string inner;
      const auto outer = thrown_by([&] {
        session_->transaction([&] {
          insert(1);
          inner = insert_in(mode, 2);
          cut_questions();  // whatever comes next on the first connection is never heard
          if (!at_commit) insert(3);
        });
      });
      heal();
      const bool refused = mode == P::never || (puts_aside(mode) && !gives_a_second());
      EXPECT_EQ(inner, !refused           ? "nothing"
                       : mode == P::never ? "transaction_exists"
                                          : "would_deadlock");
      EXPECT_EQ(outer, at_commit ? kDoubt : kLost);
      expect_whole(puts_aside(mode) && !refused ? Rows{2} : Rows{}, "taken up");
    }
  }
}

TEST_P(OnServers, AnOuterTransactionThatHasRunNothingFailsToBeginAfterTheInnerHasEnded) {
  for (const auto mode : {P::requires_new, P::not_supported}) {
    SCOPED_TRACE(name(mode, true));
    warm_up();
    const auto outer = thrown_by([&] {
      session_->transaction([&] {
        EXPECT_EQ(insert_in(mode, 2), "nothing");  // also with a single connection
        cut_answers();
        insert(1);
      });
    });
    heal();
    EXPECT_EQ(outer, kLost);
    expect_whole({2}, "begin of the outer");
  }
}

// Cut off on its way or on its way back: in doubt both times, and once each is what has happened.
TEST_P(OnServers, ACommitThatIsCutOffIsInDoubtWhicheverModeBegan) {
  for (const auto mode : {P::required, P::requires_new, P::nested}) {
    for (const bool heard : {false, true}) {
      SCOPED_TRACE(name(mode, false) + (heard ? ", heard" : ", not heard"));
      warm_up();
      const auto thrown = thrown_by([&] {
        session_->transaction({.propagation = mode, .retry = Retry::conflicts(3)}, [&] {
          session_->before_commit([&] { heard ? cut_answers() : cut_questions(); });
          insert(2);
        });
      });
      heal();
      EXPECT_EQ(thrown, kDoubt);
      expect_whole(heard ? Rows{2} : Rows{}, "commit");
    }
  }
}

TEST_P(OnServers, ACommitThatIsCutOffInsideIsThatOfWhoeverBegan) {
  for (const auto mode : kModes) {
    for (const bool heard : {false, true}) {
      SCOPED_TRACE(name(mode, true) + (heard ? ", heard" : ", not heard"));
      warm_up();
      std::string inner;
      const bool own = mode == P::requires_new && gives_a_second();
      const auto cut = [&] { heard ? cut_answers() : cut_questions(); };
      const auto outer = thrown_by([&] {
        session_->transaction([&] {
          insert(1);
          inner = thrown_by([&] {
            session_->transaction({.propagation = mode}, [&] {
              insert(2);
              if (own) session_->before_commit(cut);
            });
          });
          own ? heal() : session_->before_commit(cut);
        });
      });
      heal();
      EXPECT_EQ(outer, own ? "nothing" : kDoubt);
      EXPECT_EQ(inner == kDoubt, own);
      Rows expected;
      if (own || heard) expected.push_back(1);
      const bool ran = inner == "nothing";
      if (own ? heard : mode == P::not_supported ? ran : ran && heard) expected.push_back(2);
      expect_whole(expected, "commit inside");
    }
  }
}

// Refused by the server itself, in good order: rolled back for certain, and the connection stays.
// MariaDB checks nothing at COMMIT.
class OnPostgres : public OnServers {};

TEST_P(OnPostgres, ACommitThatTheServerRefusesIsRolledBackForCertain) {
  observer_->execute("drop table item");
  observer_->execute(
      "create table item (id bigint primary key, twice bigint default 0, "
      "unique (twice) deferrable initially deferred)");
  const auto two_of_it = [&] {
    session_->execute("insert into {item} values (2)");
    session_->execute("insert into {item} values (3)");
  };
  for (const auto mode : {P::required, P::requires_new, P::nested}) {
    SCOPED_TRACE(name(mode, false));
    const auto opened = pool_->stats().created;
    EXPECT_EQ(thrown_by([&] { session_->transaction({.propagation = mode}, two_of_it); }),
              "sql.unique_violation");
    EXPECT_EQ(pool_->stats().created, opened);
    expect_whole({}, "refused");
  }
  for (const auto mode : {P::required, P::supports, P::mandatory, P::nested}) {
    SCOPED_TRACE(name(mode, true));
    EXPECT_EQ(
        thrown_by([&] {
          session_->transaction([&] { session_->transaction({.propagation = mode}, two_of_it); });
        }),
        "sql.unique_violation");
    expect_whole({}, "refused inside");
  }
}

std::string name_of(const testing::TestParamInfo<Param>& instance) {
  return std::get<0>(instance.param) + "With" + std::to_string(std::get<1>(instance.param));
}

INSTANTIATE_TEST_SUITE_P(Servers, OnServers,
                         testing::Combine(testing::Values("Postgres", "Mariadb"),
                                          testing::Values(std::size_t{1}, std::size_t{4})),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Server, OnPostgres,
                         testing::Combine(testing::Values("Postgres"),
                                          testing::Values(std::size_t{1}, std::size_t{4})),
                         name_of);

}  // namespace
}  // namespace carrel::test
