// The test server's PostgreSQL, and the verbs of its tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "carrel/drivers/postgres.h"

namespace carrel::test {

// Of a server of servers.env, with a schema of this process's own as the search path.
PostgresOptions postgres_options(const std::string& server = "POSTGRES");

std::unique_ptr<Connection> open_postgres();
std::unique_ptr<Connection> open_postgres(PostgresOptions options);

// Ends the connection's backend from another connection, and returns once it is gone.
void kill_backend(Connection& connection);
void kill_backend(std::int64_t backend);
std::int64_t backend_of(Connection& connection);

}  // namespace carrel::test
