// The servers behind a gate that does to the wire what bad networks do: what the tests of the
// drivers' failures share.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/in_time.h"
#include "carrel/db/connection.h"
#include "drivers/errors.h"
#include "drivers/fault_gate.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {

inline constexpr std::chrono::milliseconds kShort{40};

struct GatedServer {
  std::string name;
  std::string port_name;
  std::function<std::unique_ptr<Driver>(std::uint16_t port)> driver;
  std::string endless;
  std::string brief;         // the same, but for a moment
  std::string leave_a_mess;  // that only a cleaning reset() undoes
  std::uint64_t trips_of_a_transaction;
  std::uint64_t trips_of_a_batch;
};

inline void PrintTo(const GatedServer& server, std::ostream* out) {
  *out << server.name;
}

class BehindAGate : public testing::TestWithParam<GatedServer> {
 protected:
  BehindAGate()
      : gate_(server_port(GetParam().port_name)),
        through_(GetParam().driver(gate_.port())),
        direct_(GetParam().driver(server_port(GetParam().port_name))),
        observer_(direct_->connect({})) {
    observer_->execute("drop table if exists item");
    observer_->execute("create table item (id bigint primary key)");
  }

  std::unique_ptr<Connection> open() { return through_->connect({}); }
  static Clock::Steady soon() { return Clock::Steady::clock::now() + kShort; }
  bool exists(int id) {
    return !observer_->execute("select 1 from item where id = $1", std::array{Value(id)}).empty();
  }
  static void insert(Connection& connection, int id) {
    connection.execute("insert into item values ($1)", std::array{Value(id)});
  }
  static void transfer(Connection& connection, int id) {
    connection.begin({});
    insert(connection, id);
    connection.commit();
  }
  // The first statement without parameters, which may take another way.
  static void transfer_plainly(Connection& connection, int id) {
    connection.begin({.isolation = Isolation::repeatable_read});
    connection.execute("insert into item values (" + std::to_string(id) + ")");
    connection.commit();
  }
  static void transfer_at_once(Connection& connection, int id) {
    const std::array values = {Value(id)};
    const std::array items = {
        BatchItem{.statement = "select 1", .parameters = {}},
        BatchItem{.statement = "insert into item values ($1)", .parameters = values}};
    connection.begin({});
    connection.batch_and_commit(items);
  }

  FaultGate gate_;
  std::unique_ptr<Driver> through_;
  std::unique_ptr<Driver> direct_;
  std::unique_ptr<Connection> observer_;
};

inline const std::vector<GatedServer>& gated_servers() {
  static const std::vector<GatedServer> servers = {
      GatedServer{.name = "Postgres",
                  .port_name = "POSTGRES_PORT",
                  .driver =
                      [](std::uint16_t port) {
                        auto options = postgres_options();
                        options.port = port;
                        return postgres_driver(ended_by_deadlines_only(options, kShort));
                      },
                  .endless = "select pg_sleep(60)",
                  .brief = "select pg_sleep(0.05)",
                  .leave_a_mess = "listen leftover",
                  .trips_of_a_transaction = 2,
                  .trips_of_a_batch = 1},
      GatedServer{.name = "Mariadb",
                  .port_name = "MARIADB_PORT",
                  .driver =
                      [](std::uint16_t port) {
                        auto options = mariadb_options();
                        options.port = port;
                        options.load_rows = 2;
                        return mariadb_driver(ended_by_deadlines_only(options, kShort));
                      },
                  .endless = "select sleep(60)",
                  .brief = "select sleep(0.05)",
                  .leave_a_mess = "set @leftover = 1",
                  .trips_of_a_transaction = 3,
                  .trips_of_a_batch = 3}};
  return servers;
}

inline std::string name_of(const testing::TestParamInfo<GatedServer>& server) {
  return server.param.name;
}

}  // namespace carrel::test
