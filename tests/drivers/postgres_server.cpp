#include "drivers/postgres_server.h"

#include <chrono>
#include <utility>

#include "drivers/servers.h"

namespace carrel::test {

PostgresOptions postgres_options(const std::string& server) {
  PostgresOptions options{.port = server_port(server + "_PORT"),
                          .password = server_setting("PASSWORD"),
                          .grace = std::chrono::seconds(10)};  // the machine may be busy
  const auto make_own = [&](OwnPlaces& places) {
    places.try_emplace(server, postgres_driver(options), "create schema " + own_name(),
                       "drop schema " + own_name() + " cascade");
  };
  // Made with the first place in it: OpenSSL, which that starts, must not end before it is dropped.
  static OwnPlaces places = [&] {
    OwnPlaces first;
    make_own(first);
    return first;
  }();
  make_own(places);
  options.parameters["options"] = "-c TimeZone=UTC -c DateStyle=ISO -c search_path=" + own_name();
  return options;
}

std::unique_ptr<Connection> open_postgres() {
  return open_postgres(postgres_options());
}

std::unique_ptr<Connection> open_postgres(PostgresOptions options) {
  return postgres_driver(std::move(options))->connect({});
}

std::int64_t backend_of(Connection& connection) {
  return connection.execute("select pg_backend_pid()").one().get<std::int64_t>(0);
}

void kill_backend(Connection& connection) {
  kill_backend(backend_of(connection));
}

void kill_backend(std::int64_t backend) {
  constexpr int wait_ms = 10'000;
  open_postgres()->execute("select pg_terminate_backend($1::int, $2)",
                           std::array{Value(backend), Value(wait_ms)});
}

}  // namespace carrel::test
