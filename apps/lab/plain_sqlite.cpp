#include "lab/plain_sqlite.h"

#include <sqlite3.h>

#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "carrel/db/sql_error.h"

namespace carrel::lab {
namespace {

constexpr int kRoundTripsToConnect = 3;

struct CloseHandle {
  void operator()(sqlite3* handle) const noexcept { sqlite3_close(handle); }
};
using Handle = std::unique_ptr<sqlite3, CloseHandle>;

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

[[noreturn]] void throw_last(sqlite3* handle, std::string_view sql) {
  const int code = sqlite3_errcode(handle);
  const SqlFailure failure{
      .message = sqlite3_errmsg(handle), .native_code = code, .statement = sql};
  if ((code & 0xff) == SQLITE_BUSY) throw SqlError("sql.busy", failure);
  throw SqlError("sql.other", failure);
}

int bind(sqlite3_stmt* statement, int place, const Value& value) {
  switch (value.kind()) {
    case ValueKind::null:
      return sqlite3_bind_null(statement, place);
    case ValueKind::integer:
      return sqlite3_bind_int64(statement, place, value.integer());
    case ValueKind::real:
      return sqlite3_bind_double(statement, place, value.real());
    case ValueKind::text:
      return sqlite3_bind_text64(statement, place, value.text().data(), value.text().size(),
                                 SQLITE_TRANSIENT, SQLITE_UTF8);
    default:
      throw SqlError("sql.type_mismatch", {.message = "the lab's own driver takes no " +
                                                      std::string(to_string(value.kind()))});
  }
}

void add_cell(Result::Builder& rows, sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
      return rows.add_null();
    case SQLITE_INTEGER:
      return rows.add_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
      return rows.add_real(sqlite3_column_double(statement, column));
    default:
      rows.add_text(reinterpret_cast<const char*>(sqlite3_column_text(statement, column)));
  }
}

class PlainConnection final : public Connection {
 public:
  explicit PlainConnection(const PlainSqliteOptions& options) : round_trip_(options.round_trip) {
    for (int i = 0; i < kRoundTripsToConnect; ++i) wait_for_answer();
    sqlite3* opened = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int result = sqlite3_open_v2(options.file.c_str(), &opened, flags, nullptr);
    handle_.reset(opened);
    if (result != SQLITE_OK)
      throw SqlError("sql.cannot_connect",
                     {.message = sqlite3_errmsg(opened), .native_code = result});
    sqlite3_busy_timeout(opened, static_cast<int>(options.busy_max.count()));
    // The file is thrown away. A journal in memory rather than a write-ahead log, since the log is
    // not made for several connections that make checkpoints.
    command("pragma synchronous = off");
    command("pragma journal_mode = memory");
  }

  void cancel() noexcept override { sqlite3_interrupt(handle_.get()); }
  [[nodiscard]] bool in_transaction() const noexcept override {
    return sqlite3_get_autocommit(handle_.get()) == 0;
  }
  [[nodiscard]] bool broken() const noexcept override { return false; }
  [[nodiscard]] bool reset() noexcept override {
    if (in_transaction()) do_rollback();
    return !in_transaction();
  }
  [[nodiscard]] bool validate() noexcept override { return true; }

 protected:
  Result do_execute(const Statement& statement, std::span<const Value> parameters) override {
    wait_for_answer();
    const Prepared prepared = prepare(statement.text);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const std::string name = "$" + std::to_string(i + 1);
      const int place = sqlite3_bind_parameter_index(prepared.get(), name.c_str());
      if (place != 0 && bind(prepared.get(), place, parameters[i]) != SQLITE_OK)
        throw_last(handle_.get(), statement.text);
    }
    return fetch(prepared.get(), statement.text);
  }

  void do_begin(const BeginOptions& options) override {
    wait_for_answer();
    command(options.access == Access::read_only ? "begin" : "begin immediate");
  }
  void do_commit() override {
    wait_for_answer();
    command("commit");
  }
  void do_rollback() noexcept override {
    if (!in_transaction()) return;
    wait_for_answer();
    sqlite3_exec(handle_.get(), "rollback", nullptr, nullptr, nullptr);
  }

 private:
  void wait_for_answer() const {
    if (round_trip_.count() > 0) std::this_thread::sleep_for(round_trip_);
  }

  void command(const char* sql) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      throw_last(handle_.get(), sql);
  }

  Prepared prepare(std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    const int result = sqlite3_prepare_v2(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                          &prepared, nullptr);
    if (result != SQLITE_OK) throw_last(handle_.get(), sql);
    return Prepared(prepared);
  }

  Result fetch(sqlite3_stmt* statement, std::string_view sql) {
    auto columns = std::make_shared<Result::Columns>();
    for (int i = 0; i < sqlite3_column_count(statement); ++i)
      columns->emplace_back(sqlite3_column_name(statement, i));
    const bool is_query = !columns->empty();
    Result::Builder rows(std::move(columns));
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW)
      for (int i = 0; i < sqlite3_column_count(statement); ++i) add_cell(rows, statement, i);
    if (step != SQLITE_DONE) throw_last(handle_.get(), sql);
    return rows.finish(is_query ? 0 : sqlite3_changes64(handle_.get()));
  }

  const std::chrono::microseconds round_trip_;
  Handle handle_;
};

class PlainDriver final : public Driver {
 public:
  explicit PlainDriver(PlainSqliteOptions options) : options_(std::move(options)) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }
  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions&) override {
    return std::make_unique<PlainConnection>(options_);
  }

 private:
  const PlainSqliteOptions options_;
  const Traits traits_{.name = "sqlite"};
};

}  // namespace

std::unique_ptr<Driver> plain_sqlite_driver(PlainSqliteOptions options) {
  return std::make_unique<PlainDriver>(std::move(options));
}

}  // namespace carrel::lab
