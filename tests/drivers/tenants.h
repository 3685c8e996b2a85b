// Two tenants on one real server: a role and a schema (on MariaDB, a database) for each, and a
// login that is nothing by itself but a member of both roles.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/connection.h"
#include "drivers/errors.h"
#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"

namespace carrel::test {

struct TenantServer {
  std::string name;
  std::string port_name;
  char quote;
  std::string current_role;
  std::string current_schema;
  std::string not_granted;         // the code for a role that there is, but not for this login
  std::string no_schema;           // for a schema that there is not, once a table in it is named
  std::uint64_t trips_when_bound;  // of a first statement with parameters, in another place
};

inline void PrintTo(const TenantServer& server, std::ostream* out) {
  *out << server.name;
}

inline std::vector<TenantServer> tenant_servers() {
  return {{.name = "Postgres",
           .port_name = "POSTGRES_PORT",
           .quote = '"',
           .current_role = "select current_user",
           .current_schema = "select current_schema()",
           .not_granted = "sql.access_denied",
           .no_schema = "sql.no_table",
           .trips_when_bound = 1},
          {.name = "Mariadb",
           .port_name = "MARIADB_PORT",
           .quote = '`',
           .current_role = "select current_role()",
           .current_schema = "select database()",
           .not_granted = "sql.no_role",
           .no_schema = "sql.access_denied",  // to who has no rights in it
           .trips_when_bound = 2}};
}

class OnTenantServer : public testing::TestWithParam<TenantServer> {
 protected:
  OnTenantServer() {
    for (const auto& place : {a_, b_}) {
      drop(place);
      create(place);
    }
    admin("create role " + quoted(own_name() + "_closed"));
    create_login();
    driver_ = driver(server_port(GetParam().port_name));
  }
  ~OnTenantServer() override {
    for (const auto& place : {a_, b_}) drop(place);
    if (is_postgres()) admin("drop owned by " + login());
    admin((is_postgres() ? "drop role " : "drop user ") + login());
    admin("drop role " + quoted(own_name() + "_closed"));
  }

  [[nodiscard]] static bool is_postgres() { return GetParam().name == "Postgres"; }
  static std::string login() { return own_name() + "_login"; }
  static std::string quoted(std::string_view name) {
    std::string made(1, GetParam().quote);
    for (const char c : name) made += std::string(c == GetParam().quote ? 2 : 1, c);
    return made + GetParam().quote;
  }

  // As the login, through a gate or not.
  static std::unique_ptr<Driver> driver(std::uint16_t port, std::size_t statements_max = 256) {
    if (is_postgres()) {
      auto options = postgres_options();
      options.port = port;
      options.user = login();
      options.password = "login";
      options.statements_max = statements_max;
      return postgres_driver(options);
    }
    auto options = mariadb_options();
    options.port = port;
    options.user = login();
    options.password = "login";
    options.statements_max = statements_max;
    return mariadb_driver(options);
  }

  Result admin(const std::string& sql) { return admin_->execute(sql); }

  static std::array<Value, 1> values_of(std::string_view name) { return {Value(name)}; }
  static std::vector<std::string> first_column(const Result& result) {
    std::vector<std::string> all;
    for (const Row row : result) all.push_back(row.get<std::string>(0));
    return all;
  }
  // The names in it that its tenant has written, in order.
  std::vector<std::string> rows_of(const Place& place) {
    return first_column(admin("select name from " + quoted(place.schema) + ".item order by name"));
  }
  static std::vector<std::string> names_in(Connection& connection) {
    return first_column(connection.execute("select name from item order by name"));
  }
  static void write(Connection& connection, std::string_view name) {
    connection.execute("insert into item (name) values ($1)", values_of(name));
  }
  static std::string text(Connection& connection, const std::string& sql) {
    return connection.execute(sql).one().get<std::optional<std::string>>(0).value_or("");
  }
  static std::string role(Connection& connection) {
    return text(connection, GetParam().current_role);
  }
  static std::string schema(Connection& connection) {
    return text(connection, GetParam().current_schema);
  }
  std::unique_ptr<Connection> open() { return driver_->connect({}); }

  // Names as only quoting makes them harmless.
  const Place a_{.role = own_name() + "_a", .schema = own_name() + "_A"};
  const Place b_{.role = own_name() + "_\"`b", .schema = own_name() + "_b`\"', ; x"};
  const Place home_{.role = "", .schema = own_name()};
  std::unique_ptr<Connection> admin_ = is_postgres() ? open_postgres() : open_mariadb();
  std::unique_ptr<Driver> driver_;

 private:
  void create(const Place& place) {
    const auto schema = quoted(place.schema);
    const auto role = quoted(place.role);
    admin("create role " + role);
    admin((is_postgres() ? "create schema " : "create database ") + schema);
    admin("create table " + schema + ".item (name varchar(80) primary key)");
    if (is_postgres()) {
      admin("grant usage, create on schema " + schema + " to " + role);
      admin("grant all on " + schema + ".item to " + role);
    } else {
      admin("grant all on " + schema + ".* to " + role);
    }
  }
  void drop(const Place& place) {
    const auto schema = quoted(place.schema);
    if (is_postgres()) {
      admin("drop schema if exists " + schema + " cascade");
    } else {
      admin("drop database if exists " + schema);
    }
    admin("drop role if exists " + quoted(place.role));
  }
  void create_login() {
    const auto roles = std::array{quoted(a_.role), quoted(b_.role)};
    if (is_postgres()) {
      admin("create role " + login() + " login noinherit password 'login'");
      admin("grant usage on schema " + own_name() + " to " + login());
    } else {
      admin("create or replace user " + login() + " identified by 'login'");
      admin("grant create temporary tables on " + own_name() + ".* to " + login());
    }
    for (const auto& role : roles) admin("grant " + role + " to " + login());
  }
};

// One connection of the login, which the tests move about.
class Placed : public OnTenantServer {
 protected:
  template <class Steps>
  std::uint64_t trips(const Steps& steps) {
    const auto before = connection_->round_trips();
    steps();
    return connection_->round_trips() - before;
  }
  void in(const Place& place) { connection_->set_place(place); }
  Result run(std::string_view sql) { return connection_->execute(sql); }
  void expect_in(const Place& place) {
    EXPECT_EQ(schema(*connection_), place.schema);
    EXPECT_EQ(role(*connection_), place.role);
  }
  void expect_home() { expect_in({.role = home_role_, .schema = home_.schema}); }
  static std::string failing(const auto& steps) { return thrown_by(steps); }

  std::unique_ptr<Connection> connection_ = open();
  const std::string home_role_ = role(*connection_);
};

}  // namespace carrel::test
