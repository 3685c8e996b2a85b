// Guide "One database per tenant".
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/pool.h"
#include "carrel/db/pool_group.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace {

const carrel::RequestLocal<std::string> tenant{"tenant"};

std::optional<std::string_view> marker() {
  const std::string* name = tenant.find();
  if (name == nullptr) return std::nullopt;
  return *name;
}

void add_order(carrel::Session& session, std::int64_t amount) {
  session.execute("insert into orders (amount) values ($1)", amount);
}

std::int64_t total(carrel::Session& session) {
  return session.execute("select coalesce(sum(amount), 0) from orders").one().get<std::int64_t>(0);
}

// What the operator does for a tenant, in the middle of a request of another.
std::int64_t total_of(carrel::Session& session, const std::string& name) {
  const auto bound = tenant.bind(name);
  return total(session);
}

bool refuses_to_switch_inside(carrel::Session& session) {
  try {
    session.transaction([&] {
      add_order(session, 1);
      const auto bound = tenant.bind("bolt");
      add_order(session, 1);  // whose transaction would this be part of?
    });
  } catch (const carrel::Error& error) {
    return error.code() == "route_changed";
  }
  return false;
}

void bill_from_inside(carrel::Session& session) {
  session.transaction([&] {
    add_order(session, 5);
    const auto bound = tenant.bind("bolt");
    session.transaction({.propagation = carrel::Propagation::requires_new}, [&] {
      add_order(session, 7);
    });  // commits by itself, in the other database
  });
}

int run(const std::filesystem::path& folder) {
  const std::vector<std::string> names = {"acme", "bolt", "coil", "dune", "edge"};
  carrel::PoolGroup group({.connections_max = 3});
  std::vector<std::unique_ptr<carrel::Driver>> drivers;
  std::deque<carrel::Pool> pools;
  std::vector<carrel::Route> routes;
  for (const auto& name : names) {
    drivers.push_back(carrel::sqlite_driver({.file = folder / (name + ".db")}));
    pools.emplace_back(
        carrel::PoolOptions{.name = name, .label = carrel::scope_label, .group = &group},
        *drivers.back());
    routes.push_back({.name = name, .pool = &pools.back()});
  }
  carrel::Session session({.routes = std::move(routes), .marker = marker});

  for (const auto& name : names) {
    const carrel::Scope request({.name = "POST /orders"});
    tenant.set(name);
    session.execute("create table orders (id integer primary key, amount integer not null)");
    add_order(session, 10);
  }

  const carrel::Scope request({.name = "POST /bills"});
  tenant.set("acme");
  bill_from_inside(session);
  const bool refused = refuses_to_switch_inside(session);
  const auto acme = total(session);
  const auto bolt = total_of(session, "bolt");
  std::cout << "acme " << acme << ", bolt " << bolt << ", connections " << group.stats().connections
            << '\n';
  return refused && acme == 15 && bolt == 17 && group.stats().connections <= 3 ? EXIT_SUCCESS
                                                                               : EXIT_FAILURE;
}

}  // namespace

int main() {
  const auto folder =
      std::filesystem::temp_directory_path() / ("carrel_tenants_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const int code = run(folder);
  std::filesystem::remove_all(folder);
  return code;
}
