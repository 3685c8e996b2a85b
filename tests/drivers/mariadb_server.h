// The test server's MariaDB, and the verbs of its tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "carrel/drivers/mariadb.h"

namespace carrel::test {

// Of a server of servers.env, with a database of this process's own.
MariadbOptions mariadb_options(const std::string& server = "MARIADB");

std::unique_ptr<Connection> open_mariadb();
std::unique_ptr<Connection> open_mariadb(MariadbOptions options);

// Ends the connection on the server from another one, and returns once it is gone.
void kill_connection(std::int64_t id);
std::int64_t id_of(Connection& connection);

}  // namespace carrel::test
