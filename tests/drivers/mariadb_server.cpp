#include "drivers/mariadb_server.h"

#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "drivers/servers.h"

namespace carrel::test {

MariadbOptions mariadb_options(const std::string& server) {
  MariadbOptions options{.port = server_port(server + "_PORT"),
                         .database = "carrel",
                         .user = "carrel",
                         .password = server_setting("PASSWORD"),
                         .grace = std::chrono::seconds(10)};  // the machine may be busy
  const auto make_own = [&](OwnPlaces& places) {
    places.try_emplace(server, mariadb_driver(options), "create database " + own_name(),
                       "drop database " + own_name());
  };
  // Made with the first place in it: OpenSSL, which that starts, must not end before it is dropped.
  static OwnPlaces places = [&] {
    OwnPlaces first;
    make_own(first);
    return first;
  }();
  make_own(places);
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
