#include "bench/db/postgres_server.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace carrel::bench {
namespace {

std::string setting(const std::string& name) {
  const char* folder = std::getenv("CARREL_TEST_SERVERS");
  if (folder == nullptr) return {};
  std::ifstream file(std::string(folder) + "/servers.env");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  return {};
}

}  // namespace

bool has_postgres() {
  return !setting("POSTGRES_PORT").empty();
}

PostgresOptions postgres_options() {
  return {.port = static_cast<std::uint16_t>(std::stoi(setting("POSTGRES_PORT"))),
          .password = setting("PASSWORD"),
          .tls = PostgresTls::off};
}

LibpqConnection connect_by_hand() {
  const auto options = postgres_options();
  const auto words = "host=127.0.0.1 dbname=postgres user=postgres sslmode=disable port=" +
                     std::to_string(options.port) + " password=" + options.password;
  LibpqConnection connection(PQconnectdb(words.c_str()));
  if (PQstatus(connection.get()) != CONNECTION_OK)
    throw std::runtime_error(PQerrorMessage(connection.get()));
  return connection;
}

std::string postgres_version() {
  const std::string all = PQparameterStatus(connect_by_hand().get(), "server_version");
  return all.substr(0, all.find(' '));  // "15.18 (Debian ...)"
}

void make_voucher_tables() {
  std::ifstream file(CARREL_BENCH_DB_DIR "/voucher_schema.sql");
  std::stringstream sql;
  sql << file.rdbuf();
  const auto connection = connect_by_hand();
  PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
  PGresult* result = PQexec(connection.get(), sql.str().c_str());
  const bool made = PQresultStatus(result) == PGRES_COMMAND_OK;
  PQclear(result);
  if (!made) throw std::runtime_error(PQerrorMessage(connection.get()));
}

}  // namespace carrel::bench
