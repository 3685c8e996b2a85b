// mariadb_driver: MariaDB 10.4 and later, through libmariadb.
//
// Use it for a database on a server of its own. For one in a file beside the program, see sqlite.h.
//
//   auto driver = mariadb_driver({.host = "db.internal", .database = "books", .user = "carrel",
//                                 .password = secret, .tls = MariadbTls::verify_full});
//   Pool pool({.name = "books"}, *driver);
//
// Statements are written with $1, $2 as everywhere. affected_rows() counts the rows that an UPDATE
// found, also those that held the new values already. A statement that would commit the running
// transaction by itself (DDL) is refused with "sql.implicit_commit". Times are UTC. Cancelling uses
// one further connection per driver, which is opened when first needed.
//
// Threads: as Driver. Lifetime: outlives its connections.
// Errors of connect(): "sql.cannot_connect" (no server, TLS refused, too many connections),
// "sql.access_denied", "sql.no_database", "sql.server_too_old", "sql.deadline".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "carrel/db/connection.h"

namespace carrel {

enum class MariadbTls : std::uint8_t {
  off,
  prefer,       // encrypted where the server can
  require,      // encrypted, whoever the server is
  verify_full,  // encrypted, and the certificate names the host
};

struct MariadbOptions {
  // Essential
  std::string host = "127.0.0.1";  // a name, an address, or the path of a Unix socket
  std::uint16_t port = 3306;
  std::string database = {};
  std::string user = "root";
  std::string password = {};
  MariadbTls tls = MariadbTls::prefer;

  // Frequent
  std::size_t statements_max = 256;  // prepared and kept, per connection; 0: none

  // Rare
  std::string tls_root_file = {};                 // certificates to trust; empty: the system's
  std::chrono::milliseconds connect_max{10'000};  // when the caller's deadline is later
  // How long an operation that is over time may take to end in good order (a statement to be
  // cancelled, a transaction to be rolled back) before the connection is given up.
  std::chrono::milliseconds grace{250};
  std::chrono::milliseconds upkeep_max{5'000};  // for reset() and validate()
  std::size_t load_rows = 1'000;                // rows that load() sends at a time
  unsigned long server_version_min = 100'400;   // as mysql_get_server_version counts
};

[[nodiscard]] std::unique_ptr<Driver> mariadb_driver(MariadbOptions options);

}  // namespace carrel
