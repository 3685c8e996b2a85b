#include <sqlite3.h>

#include <atomic>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "carrel/db/sql_error.h"
#include "carrel/drivers/sqlite.h"
#include "drivers/lock_file.h"
#include "drivers/sqlite_connection.h"
#include "drivers/sqlite_error.h"

namespace carrel::drivers {
namespace {

std::filesystem::path checked_path(const std::filesystem::path& file) {
  if (file.empty()) throw SqlError("sql.no_directory", {.message = "no file is named"});
  const auto directory = file.has_parent_path() ? file.parent_path() : ".";
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    throw SqlError("sql.no_directory",
                   {.message = "the directory " + directory.string() + " of the database " +
                               file.string() + " does not exist"});
  }
  if (std::filesystem::is_directory(file, error)) {
    throw SqlError("sql.not_a_database", {.message = file.string() + " is a directory"});
  }
  return file;
}

// Where a link leads, also one to a file that SQLite is yet to make.
std::filesystem::path followed(std::filesystem::path file) {
  constexpr int links_max = 40;  // as Linux follows at most; in a circle, SQLite tells
  std::error_code error;
  for (int i = 0; i < links_max && std::filesystem::is_symlink(file, error); ++i)
    file = file.parent_path() / std::filesystem::read_symlink(file, error);
  return file;
}

// Beside the file itself, by whatever links it was reached: SQLite keeps its log there as well.
std::filesystem::path lock_path(const std::filesystem::path& file) {
  std::error_code error;
  const auto target = followed(file);
  auto path = std::filesystem::weakly_canonical(target, error);
  if (error) path = target;
  return path += ".lock";
}

// By another name of the same file nobody finds this one's lock, nor its log.
void require_one_name(const std::filesystem::path& file) {
  std::error_code error;
  const auto names = std::filesystem::hard_link_count(file, error);
  if (error || names <= 1) return;
  throw SqlError("sql.unsupported",
                 {.message = file.string() + " has " + std::to_string(names) +
                             " names (hard links); the lock and the log of one are not found by "
                             "another: remove all but one"});
}

class SqliteDriver final : public Driver {
 public:
  explicit SqliteDriver(SqliteOptions options)
      : options_(std::move(options)),
        traits_{.name = "sqlite",
                .single_writer = true,
                .remote = false,
                .pool_size_default = options_.readers + 1,
                .dialect = kSqliteDialect},
        lock_(lock_path(checked_path(options_.file)), options_.file),
        first_writer_(open_first_writer()) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }

  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override {
    if (options.access == Access::read_only)
      return std::make_unique<SqliteConnection>(options_, Access::read_only, nullptr);
    {
      const std::scoped_lock lock(mutex_);
      if (first_writer_) return std::move(first_writer_);
    }
    return open_writer();
  }

 private:
  std::unique_ptr<Connection> open_writer() {
    if (writer_open_.exchange(true)) {
      throw SqlError("sql.busy",
                     {.message = options_.file.string() +
                                 " has its one writing connection already; share one pool"});
    }
    try {
      return std::make_unique<SqliteConnection>(options_, Access::read_write,
                                                [this] { writer_open_.store(false); });
    } catch (const SqlError&) {
      writer_open_.store(false);
      throw;
    }
  }

  // Meets every fault of the file at the start, not in the first request.
  std::unique_ptr<Connection> open_first_writer() {
    require_one_name(options_.file);
    try {
      // Its journal_mode reads the schema, which is what tells a database from any other file.
      return open_writer();
    } catch (const SqlError& error) {
      throw_with_file(error);
    }
  }

  [[noreturn]] void throw_with_file(const SqlError& error) const {
    const SqlFailure failure{.message = options_.file.string() + ": " + error.what(),
                             .sqlstate = std::string(error.sqlstate()),
                             .native_code = error.native_code(),
                             .traits = {.retryable = error.retryable()}};
    if (error.code() == "sql.not_a_database") throw SqlError("sql.not_a_database", failure);
    if (error.code() == "sql.read_only") throw SqlError("sql.read_only", failure);
    if (error.code() == "sql.disk_full") throw SqlError("sql.disk_full", failure);
    if (error.code() == "sql.access_denied") throw SqlError("sql.access_denied", failure);
    if (error.code() == "sql.corrupt") throw SqlError("sql.corrupt", failure);
    if (error.code() == "sql.busy") throw SqlError("sql.in_use", failure);
    if (error.code() == "sql.unsupported") throw SqlError("sql.unsupported", failure);
    throw SqlError("sql.io", failure);
  }

  const SqliteOptions options_;
  const Traits traits_;
  const LockFile lock_;
  std::atomic<bool> writer_open_{false};
  std::mutex mutex_;  // first_writer_ is guarded by mutex_
  std::unique_ptr<Connection> first_writer_;
};

}  // namespace
}  // namespace carrel::drivers

namespace carrel {

std::unique_ptr<Driver> sqlite_driver(SqliteOptions options) {
  return std::make_unique<drivers::SqliteDriver>(std::move(options));
}

}  // namespace carrel
