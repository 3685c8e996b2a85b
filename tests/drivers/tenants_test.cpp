// Tenants that share one pool: a route names the role and the schema in which its statements run.
#include "drivers/tenants.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/db/pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"

namespace carrel::test {
namespace {

using Names = std::vector<std::string>;

class Tenants : public OnTenantServer {
 protected:
  Tenants() { share(1); }

  void share(std::size_t connections) {
    session_.reset();
    pool_.emplace(PoolOptions{.name = "tenants",
                              .size_max = connections,
                              .acquire_max = std::chrono::seconds(60),
                              .label = scope_label,
                              .validate_after = std::chrono::hours(1),
                              .maintain_every = {}},
                  *driver_);
    std::vector<Route> routes;
    const auto add = [&](const char* name, const Place& place) {
      routes.push_back(
          {.name = name, .pool = &*pool_, .tables = {{"item", "item"}}, .place = place});
    };
    add("a", a_);
    add("b", b_);
    add("nobody", {.role = "nobody"});
    add("house", {});
    session_.emplace(SessionOptions{.routes = std::move(routes),
                                    .marker = [this]() -> std::optional<std::string_view> {
                                      const auto* name = tenant_.find();
                                      if (name == nullptr) return std::nullopt;
                                      return *name;
                                    }});
  }

  template <class Work>
  auto as(const std::string& name, const Work& work) {
    const auto bound = tenant_.bind(name);
    return work();
  }
  void write(std::string_view name) {
    session_->execute("insert into item (name) values ($1)", name);
  }
  Names names() { return first_column(session_->execute("select name from item order by name")); }
  Names names_of(const std::string& tenant) {
    return as(tenant, [&] { return names(); });
  }
  std::string role_and_schema() {
    const auto first = [&](const std::string& sql) {
      return session_->execute(sql).one().get<std::optional<std::string>>(0).value_or("");
    };
    return first(GetParam().current_role) + " in " + first(GetParam().current_schema);
  }
  static std::string told(const Place& place) { return place.role + " in " + place.schema; }

  const RequestLocal<std::string> tenant_{"tenant"};
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  const Scope scope_{{.name = "request"}};
};

TEST_P(Tenants, AlternateOverOneConnectionAndSeeOnlyTheirOwnRows) {
  Names written;
  for (int i = 0; i < 4; ++i) {
    const auto name = std::to_string(i);
    as("a", [&] { write("a" + name); });
    as("b", [&] { session_->transaction([&] { write("b" + name); }); });
    as("a", [&] {
      session_->transaction([&] {
        EXPECT_EQ(role_and_schema(), told(a_));
        EXPECT_EQ(names().back(), "a" + name);
      });
    });
    as("b", [&] {
      EXPECT_EQ(names().size(), static_cast<std::size_t>(i) + 1);
      EXPECT_EQ(role_and_schema(), told(b_));
    });
    written.push_back("a" + name);
  }
  EXPECT_EQ(names_of("a"), written);
  EXPECT_EQ(rows_of(a_), written);
  EXPECT_EQ(pool_->stats().created, 1U);
}

TEST_P(Tenants, SendTheirRowsInBatchesAndLoads) {
  constexpr std::array<std::string_view, 1> columns = {"name"};
  for (const std::string name : {"a", "b", "a"}) {
    as(name, [&] {
      session_->batch(
          Batch()
              .add("delete from item where name like '%loaded'")
              .add("insert into item values ($1)", name + std::to_string(names().size())));
      session_->load("item", columns, values_of("loaded"));
    });
  }
  EXPECT_EQ(rows_of(a_), (Names{"a0", "a2", "loaded"}));
  EXPECT_EQ(rows_of(b_), (Names{"b0", "loaded"}));
}

TEST_P(Tenants, CostNoRoundTripOfTheirOwn) {
  const auto transfer = [&](const std::string& tenant) {
    as(tenant,
       [&] { session_->transaction([&] { session_->execute("select count(*) from item"); }); });
  };
  const auto trips = [&](const std::string& tenant) {
    const auto before = pool_->borrow()->round_trips();
    transfer(tenant);
    return pool_->borrow()->round_trips() - before;
  };
  transfer("b");
  transfer("a");
  EXPECT_EQ(trips("a"), 2U);
  EXPECT_EQ(trips("b"), 2U);
  EXPECT_EQ(trips("a"), 2U);
}

TEST_P(Tenants, OfARollbackOrAFailureDoNotEndInTheOthersPlace) {
  const auto fail = [&](const std::string& tenant, int how) {
    const auto bound = tenant_.bind(tenant);
    switch (how) {
      case 0:
        return session_->transaction([&] { write("lost"), session_->set_rollback_only(); });
      case 1:
        EXPECT_EQ(thrown_by([&] { session_->execute("select nothing from item"); }),
                  "sql.no_column");
        return;
      case 2:
        EXPECT_THROW(session_->transaction([&] {
          write("lost");
          throw std::runtime_error("changed its mind");
        }),
                     std::runtime_error);
        return;
      default:
        EXPECT_EQ(thrown_by([&] { session_->transaction([&] { write(tenant), write(tenant); }); }),
                  "sql.unique_violation");
    }
  };
  as("a", [&] { write("a"); });
  as("b", [&] { write("b"); });
  for (int how = 0; how < 4; ++how) {
    for (const std::string tenant : {"a", "b", "a"}) {
      fail(tenant, how);
      EXPECT_EQ(names_of(tenant), Names{tenant}) << how;
      fail(tenant, how);
      EXPECT_EQ(names_of(tenant == "a" ? "b" : "a"), Names{tenant == "a" ? "b" : "a"}) << how;
    }
  }
  EXPECT_EQ(pool_->stats().created, 1U);
}

TEST_P(Tenants, LeaveNothingToWhoNamesNoPlace) {
  const auto house = as("house", [&] { return role_and_schema(); });
  as("a", [&] { write("a"); });
  EXPECT_EQ(as("house", [&] { return role_and_schema(); }), house);
  as("b", [&] {
    EXPECT_NE(thrown_by([&] { session_->transaction([&] { write("b"), write("b"); }); }),
              "nothing");
  });
  EXPECT_EQ(schema(*pool_->borrow()), home_.schema);
  EXPECT_NE(thrown_by([&] { as("house", [&] { write("house"); }); }), "nothing");
  EXPECT_EQ(rows_of(a_), Names{"a"});
  EXPECT_EQ(rows_of(b_), Names());
  EXPECT_EQ(pool_->stats().created, 1U);
}

TEST_P(Tenants, WhoseRoleThereIsNotRunNothing) {
  as("a", [&] { write("a"); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(thrown_by([&] { as("nobody", [&] { write("nobody"); }); }), "sql.no_role");
    EXPECT_EQ(thrown_by([&] {
                as("nobody",
                   [&] { session_->transaction([&] { session_->execute("delete from item"); }); });
              }),
              "sql.no_role");
  }
  EXPECT_EQ(names_of("a"), Names{"a"});
  EXPECT_EQ(names_of("b"), Names());
  EXPECT_EQ(pool_->stats().created, 1U);
}

TEST_P(Tenants, DoNotChangeInsideATransaction) {
  as("a", [&] {
    EXPECT_EQ(thrown_by([&] {
                session_->transaction([&] {
                  write("a");
                  as("b", [&] { write("b"); });
                });
              }),
              "route_changed");
  });
  EXPECT_EQ(rows_of(a_), Names());
  EXPECT_EQ(rows_of(b_), Names());
}

TEST_P(Tenants, MayHaveATransactionOfTheirOwnInsideAnothers) {
  share(2);
  for (int i = 0; i < 3; ++i) {
    const auto name = std::to_string(i);
    as("a", [&] {
      session_->transaction([&] {
        write("a" + name);
        as("b", [&] {
          session_->transaction({.propagation = Propagation::requires_new}, [&] {
            write("b" + name);
            EXPECT_EQ(role_and_schema(), told(b_));
          });
        });
        EXPECT_EQ(role_and_schema(), told(a_));
        EXPECT_EQ(names().back(), "a" + name);
        session_->set_rollback_only();
      });
    });
  }
  EXPECT_EQ(rows_of(a_), Names());
  EXPECT_EQ(rows_of(b_), (Names{"b0", "b1", "b2"}));
}

TEST_P(Tenants, MayNestInOneAnotherAsDeepAsThereAreConnections) {
  share(3);
  int written = 0;
  const auto nested = [&](const std::string& tenant, const auto& within) {
    const auto check = [&] { EXPECT_EQ(role_and_schema(), told(tenant == "a" ? a_ : b_)); };
    as(tenant, [&] {
      session_->transaction({.propagation = Propagation::requires_new}, [&] {
        check();
        within();
        write(tenant + std::to_string(written++));
        check();
      });
    });
  };
  for (int i = 0; i < 3; ++i) {
    nested("a", [&] { nested("b", [&] { nested("a", [] {}); }); });
    nested("b", [&] {
      const auto failing = [&] { nested("a", [&] { write("a0"); }); };
      EXPECT_EQ(thrown_by(failing), "sql.unique_violation");
    });
  }
  EXPECT_EQ(names_of("a"), (Names{"a0", "a10", "a2", "a4", "a6", "a8"}));
  EXPECT_EQ(names_of("b"), (Names{"b1", "b11", "b3", "b5", "b7", "b9"}));
  EXPECT_EQ(pool_->stats().created, 3U);
}

// The connection that knew where it was is gone.
TEST_P(Tenants, FindTheirPlaceOnANewConnection) {
  for (const std::string tenant : {"a", "b", "b", "a"}) {
    as(tenant, [&] {
      write(std::to_string(names().size()));
      const auto id =
          session_->execute(is_postgres() ? "select pg_backend_pid()" : "select connection_id()");
      const auto number = std::to_string(id.one().get<std::int64_t>(0));
      admin(is_postgres() ? "select pg_terminate_backend(" + number + ", 60000)"
                          : "kill " + number);
      EXPECT_EQ(thrown_by([&] { session_->transaction([&] { write("lost"); }); }),
                "sql.connection_lost, retryable");
      session_->transaction([&] {
        EXPECT_EQ(role_and_schema(), told(tenant == "a" ? a_ : b_));
        EXPECT_EQ(names().size(), tenant == "a" ? rows_of(a_).size() : rows_of(b_).size());
      });
    });
  }
  EXPECT_EQ(names_of("a"), (Names{"0", "1"}));
  EXPECT_EQ(names_of("b"), (Names{"0", "1"}));
  EXPECT_EQ(pool_->stats().created, 5U);
}

TEST_P(Tenants, NestAndPutAsideAsEver) {
  share(2);
  as("a", [&] {
    session_->transaction([&] {
      session_->transaction({.propagation = Propagation::nested}, [&] { write("kept"); });
      session_->transaction({.propagation = Propagation::nested}, [&] {
        write("lost");
        session_->set_rollback_only();
      });
      as("b", [&] {
        session_->transaction({.propagation = Propagation::not_supported}, [&] { write("b"); });
      });
      EXPECT_EQ(role_and_schema(), told(a_));
    });
  });
  EXPECT_EQ(names_of("a"), Names{"kept"});
  EXPECT_EQ(names_of("b"), Names{"b"});
}

TEST_P(Tenants, AreRefusedATransactionOverSeveralDatabases) {
  EXPECT_EQ(
      thrown_by([&] {
        Session({.routes = {{.name = "a", .pool = &*pool_, .place = a_}}, .two_phase = TwoPhase{}});
      }),
      "invalid_two_phase");
}

INSTANTIATE_TEST_SUITE_P(Servers, Tenants, testing::ValuesIn(tenant_servers()),
                         [](const auto& server) { return server.param.name; });

}  // namespace
}  // namespace carrel::test
