// SqliteConnection: one sqlite3 handle behind the Connection contract.
#pragma once

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/connection.h"
#include "carrel/drivers/sqlite.h"
#include "db/statement_cache.h"

namespace carrel::drivers {

struct CloseHandle {
  void operator()(sqlite3* db) const noexcept { sqlite3_close(db); }
};
using SqliteHandle = std::unique_ptr<sqlite3, CloseHandle>;

// A compiled statement and what is known about it.
struct SqliteStatement {
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle;
  std::vector<int> parameters;  // SQLite's parameter i + 1 takes our $n: n is parameters[i]
  std::size_t parameters_max = 0;
  std::shared_ptr<const Result::Columns> columns;
  bool writes = false;
  bool dirties = false;  // leaves the connection other than it was: a pragma, ATTACH, a temp table
};

class SqliteConnection final : public Connection {
 public:
  // Called when the connection is closed; tells the driver that its writer is gone.
  using OnClose = std::function<void()>;

  SqliteConnection(const SqliteOptions& options, Access access, OnClose on_close);
  ~SqliteConnection() override;

  void cancel() noexcept override { cancelled_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool in_transaction() const noexcept override;
  [[nodiscard]] bool broken() const noexcept override { return broken_; }
  [[nodiscard]] bool reset() noexcept override;
  [[nodiscard]] bool validate() noexcept override { return !broken_; }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value> parameters) override;
  void do_begin(const BeginOptions& options) override;
  void do_commit() override;
  void do_rollback() noexcept override;
  void do_savepoint_command(std::string_view sql) override;

 private:
  class Run;
  class Authority;

  void configure(const SqliteOptions& options);
  void command(const std::string& sql);  // our own: may begin and end transactions
  int try_command(const char* sql) noexcept;
  SqliteStatement& prepared(const Statement& statement, std::span<const Value> parameters);
  void require_fitting(std::string_view sql) const;
  [[nodiscard]] SqliteStatement compile(std::string_view sql);
  void bind(const SqliteStatement& statement, std::span<const Value> values,
            std::string_view sql) const;
  [[nodiscard]] Result fetch(SqliteStatement& statement, std::string_view sql);
  [[noreturn]] void throw_error(int result, std::string_view sql);
  void set_query_only(bool on);
  void bound_waits();
  static int on_progress(void* self) noexcept;
  static int on_busy(void* self, int calls) noexcept;

  SqliteHandle db_;
  Access access_;
  OnClose on_close_;
  db::StatementCache<SqliteStatement> cache_;
  const std::size_t text_bytes_max_;  // of a statement
  const std::chrono::milliseconds busy_max_;
  Clock::Steady busy_since_{};
  std::atomic<bool> cancelled_{false};
  bool timed_out_ = false;
  bool dirty_ = false;
  bool broken_ = false;
  bool query_only_ = false;
};

}  // namespace carrel::drivers
