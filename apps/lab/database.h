// Database: where an experiment's tables lie: a temporary SQLite file, or a schema of its own in
// the PostgreSQL server that the lab was pointed to. Gone when the object is.
//
//   const Database database(context.postgres);
//   const auto driver = database.driver();
//   Pool pool({.name = "bank"}, *driver);
//
// Threads: all functions from any. Lifetime: outlives its drivers and their connections.
// Errors: "lab.not_a_url", "lab.no_postgres" (built without libpq), "lab.no_temporary_folder", and
// what connecting throws.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::lab {

class Database {
 public:
  // Empty: SQLite. Else postgresql://user:password@host:port/database, of which all but the host
  // may be left out.
  explicit Database(const std::string& postgres_url);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // As programs have it.
  [[nodiscard]] std::unique_ptr<Driver> driver() const;
  // One whose connections may all write. SQLite has no server: what the way to one would take is
  // slept, see plain_sqlite.h. PostgreSQL takes what it takes.
  [[nodiscard]] std::unique_ptr<Driver> several_writers(
      std::chrono::microseconds round_trip = {}) const;

  // Statements that are to take time say so themselves where it is not slept for them.
  [[nodiscard]] bool has_server() const noexcept { return has_server_; }

  // "SQLite" or "PostgreSQL", for reports.
  [[nodiscard]] static std::string_view name_of(const std::string& postgres_url) noexcept {
    return postgres_url.empty() ? "SQLite" : "PostgreSQL";
  }

 private:
  class Place;
  class SqlitePlace;
  class PostgresPlace;
  const bool has_server_;
  std::unique_ptr<Place> place_;
};

}  // namespace carrel::lab
