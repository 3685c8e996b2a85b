#include "drivers/mariadb_server.h"

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "drivers/servers.h"

namespace carrel::test {

MariadbOptions mariadb_options() {
  MariadbOptions options{.port = server_port("MARIADB_PORT"),
                         .database = "carrel",
                         .user = "carrel",
                         .password = server_setting("PASSWORD"),
                         .grace = std::chrono::seconds(10)};  // the machine may be busy
  static const OwnPlace database(mariadb_driver(options), "create database " + own_name(),
                                 "drop database " + own_name());
  options.database = own_name();
  return options;
}

std::unique_ptr<Connection> open_mariadb() {
  return open_mariadb(mariadb_options());
}

std::unique_ptr<Connection> open_mariadb(MariadbOptions options) {
  return mariadb_driver(std::move(options))->connect({});
}

std::int64_t id_of(Connection& connection) {
  return connection.execute("select connection_id()").one().get<std::int64_t>(0);
}

void kill_connection(std::int64_t id) {
  const auto other = open_mariadb();
  other->execute("kill " + std::to_string(id));
  const std::array parameters = {Value(id)};
  while (!other->execute("select 1 from information_schema.processlist where id = $1", parameters)
              .empty()) {
  }
}

}  // namespace carrel::test
