// sqlite_driver: SQLite, the embedded default: a database in a file, without a server.
//
//   auto driver = sqlite_driver({.file = "data/consumer.db"});
//   Pool pool({.name = "consumer"}, *driver);
//
// One process at a time may use a file: `<file>.lock` is locked while the driver lives, and a
// second one is refused with "sql.in_use", also one that comes by a symbolic link. Inside the
// process one connection writes and makes all checkpoints; the others read and never checkpoint.
// Write-ahead log, foreign keys on, BEGIN IMMEDIATE for everything not declared read-only. An
// acknowledged commit survives the loss of power (synchronous=FULL).
//
// Threads: as Driver. Lifetime: outlives its connections.
// Errors at construction: "sql.no_directory", "sql.in_use", "sql.not_a_database", "sql.corrupt",
// "sql.access_denied", "sql.read_only", "sql.disk_full", "sql.unsupported" (no write-ahead log is
// to be had in that file system, or the file has a second name, a hard link), "sql.io".
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>

#include "carrel/db/connection.h"

namespace carrel {

enum class SqliteSync {
  full,    // an acknowledged commit survives the loss of power
  normal,  // survives a crash of the process, may be lost with the power
  off      // for throw-away data only
};

struct SqliteOptions {
  std::filesystem::path file = {};  // made where it does not exist; its directory must

  SqliteSync synchronous = SqliteSync::full;
  std::size_t readers = 4;  // default size of a pool, beside the writer

  std::size_t statements_max = 256;           // prepared and kept, per connection
  std::size_t cache_bytes = 16 << 20;         // pages in memory, per connection
  std::size_t mmap_bytes = 0;                 // of the file mapped into memory, per connection
  std::size_t checkpoint_pages = 4'000;       // the log's length at which a commit also checkpoints
  std::chrono::milliseconds busy_max{2'000};  // for locks held during another one's recovery
};

[[nodiscard]] std::unique_ptr<Driver> sqlite_driver(SqliteOptions options);

}  // namespace carrel
