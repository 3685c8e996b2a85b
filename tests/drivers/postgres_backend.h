// Postgres as one of the databases that the contract of Connection is tested on.
#pragma once

#include <memory>
#include <string>

#include "db/connection_contract.h"
#include "drivers/postgres_server.h"

namespace carrel::test {

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(const PostgresOptions& options) : driver_(postgres_driver(options)) {
    driver_->connect({})->execute("drop table if exists thing, kinds, other");
  }
  [[nodiscard]] Driver& driver() override { return *driver_; }

 private:
  std::unique_ptr<Driver> driver_;
};

// `options` is called for each test.
inline Backend postgres_backend(PostgresOptions (*options)()) {
  return {
      .make = [options] { return std::make_unique<PostgresDatabase>(options()); },
      .integer_type = "bigint",
      .real_type = "double precision",
      .text_type = "text",
      .bytes_type = "bytea",
      .timestamp_type = "timestamptz",
      .uuid_type = "uuid",
      .endless_query = "select pg_sleep(600)",
      .takes_arrays = true,
      .dirt = {{"create temp table mine (id integer)",
                "select count(*)::int from pg_class where relname = 'mine'"},
               {"set work_mem = '7MB'", "select (current_setting('work_mem') = '7MB')::int"},
               {"select pg_advisory_lock(7)",
                "select count(*)::int from pg_locks where locktype = 'advisory' and "
                "pid = pg_backend_pid()"}},
  };
}

}  // namespace carrel::test
