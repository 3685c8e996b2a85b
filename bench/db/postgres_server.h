// The PostgreSQL that bench/compare has started through tools/test-servers, if it has.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "carrel/drivers/postgres.h"

namespace carrel::bench {

struct Finish {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
using LibpqConnection = std::unique_ptr<PGconn, Finish>;

[[nodiscard]] bool has_postgres();
[[nodiscard]] PostgresOptions postgres_options();
[[nodiscard]] LibpqConnection connect_by_hand();
[[nodiscard]] std::string postgres_version();

// Makes the tables of voucher_schema.sql anew.
void make_voucher_tables();

}  // namespace carrel::bench
