// postgres_driver: PostgreSQL 12 and later, through libpq.
//
// Use it for a database on a server of its own. For one in a file beside the program, see sqlite.h.
//
//   auto driver = postgres_driver({.host = "db.internal", .database = "books", .user = "carrel",
//                                  .password = secret, .tls = PostgresTls::verify_full});
//   Pool pool({.name = "books"}, *driver);
//
// Never blocks longer than the deadline: the socket is non-blocking, host names are resolved and
// statements cancelled on a thread beside. BEGIN goes along with the transaction's first statement,
// and batch_and_commit() is one round trip. What each type of value becomes, and what reset()
// cleans, is in docs/reference/drivers.md.
//
// Threads: as Driver. Lifetime: outlives its connections.
// Errors of connect(): "sql.cannot_connect" (no server, TLS refused, too many connections),
// "sql.access_denied", "sql.no_database", "sql.server_too_old", "sql.deadline".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "carrel/db/connection.h"

namespace carrel {

enum class PostgresTls : std::uint8_t {
  off,
  prefer,       // encrypted where the server can
  require,      // encrypted, whoever the server is
  verify_full,  // encrypted, and the certificate names the host
};

struct PostgresOptions {
  // Essential
  std::string host = "127.0.0.1";  // a name, an address, or the directory of a Unix socket
  std::uint16_t port = 5432;
  std::string database = "postgres";
  std::string user = "postgres";
  std::string password = {};
  PostgresTls tls = PostgresTls::prefer;

  // Frequent
  std::string application_name = "carrel";
  // Prepared statements kept per connection, at most four per text (parameters of other types make
  // another one); 0 prepares nothing, for poolers that give every transaction another session.
  std::size_t statements_max = 256;
  // How long to ask a fresh connection what became of a transaction whose COMMIT got no answer,
  // within the caller's deadline; 0: not at all, it is in doubt. Costs one more statement per
  // transaction, which rides along with BEGIN. docs/reference/drivers.md says when it cannot tell.
  std::chrono::milliseconds resolve_max{0};

  // Rare
  std::string tls_root_file = {};                 // certificates to trust; empty: libpq's default
  std::chrono::milliseconds connect_max{10'000};  // when the caller's deadline is later
  // How long an operation that is over time may take to end in good order (a statement to be
  // cancelled, a transaction to be rolled back) before the connection is given up.
  std::chrono::milliseconds grace{250};
  std::chrono::milliseconds upkeep_max{5'000};         // for reset() and validate()
  int server_version_min = 120'000;                    // as PQserverVersion counts
  std::map<std::string, std::string> parameters = {};  // further keywords of libpq, which win
};

[[nodiscard]] std::unique_ptr<Driver> postgres_driver(PostgresOptions options);

}  // namespace carrel
