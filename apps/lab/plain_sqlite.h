// plain_sqlite_driver(): SQLite the way a server's database is used: any number of connections may
// write, and each answers after a while.
//
// The lab runs on it the failures that take several writing connections, or that show only where an
// answer takes time. Programs use carrel::sqlite_driver, which gives a file one writer on purpose.
//
// Threads: as Driver. Lifetime: outlives its connections; destroying one rolls back.
// Errors: SqlError "sql.busy" (another connection kept its lock for too long),
// "sql.cannot_connect", "sql.type_mismatch" (a parameter that is no null, integer, number or text),
// "sql.other".
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "carrel/db/connection.h"

namespace carrel::lab {

struct PlainSqliteOptions {
  std::filesystem::path file;
  // What a network would add: slept in every call, and three times while connecting (the connection
  // itself, the password's challenge, its answer).
  std::chrono::microseconds round_trip{0};
  std::chrono::milliseconds busy_max{1'000};
};

[[nodiscard]] std::unique_ptr<Driver> plain_sqlite_driver(PlainSqliteOptions options);

}  // namespace carrel::lab
