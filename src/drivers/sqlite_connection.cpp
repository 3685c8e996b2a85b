#include "drivers/sqlite_connection.h"

#include <algorithm>
#include <array>
#include <utility>

#include "carrel/db/sql_error.h"
#include "db/no_arrays.h"
#include "db/sql_scanner.h"
#include "db/statement_check.h"
#include "drivers/sqlite_error.h"
#include "drivers/sqlite_text.h"

namespace carrel::drivers {
namespace {

constexpr db::NoArrays kNoArrays{.database = "SQLite", .dialect = &kSqliteDialect};

// Pragmas that only read, even with an argument. All others change the connection.
bool only_reads(std::string_view pragma, const char* argument) noexcept {
  constexpr std::array<std::string_view, 10> readers = {
      "table_info", "table_xinfo",      "index_list",      "index_info",        "index_xinfo",
      "table_list", "foreign_key_list", "integrity_check", "foreign_key_check", "quick_check"};
  if (argument == nullptr) return true;
  for (const auto reader : readers) {
    if (pragma == reader) return true;
  }
  return false;
}

std::shared_ptr<const Result::Columns> columns_of(sqlite3_stmt* statement) {
  const int count = sqlite3_column_count(statement);
  if (count == 0) return nullptr;
  auto columns = std::make_shared<Result::Columns>();
  for (int i = 0; i < count; ++i) columns->emplace_back(sqlite3_column_name(statement, i));
  return columns;
}

void add_cell(Result::Builder& row, sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      row.add_integer(sqlite3_column_int64(statement, column));
      break;
    case SQLITE_FLOAT:
      row.add_real(sqlite3_column_double(statement, column));
      break;
    case SQLITE_TEXT: {
      // The text first: asking for it may convert, and only then the size is right.
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
      row.add_text({text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))});
      break;
    }
    case SQLITE_BLOB: {
      const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
      row.add_bytes({blob, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))});
      break;
    }
    default:
      row.add_null();
  }
}

int bind_one(sqlite3_stmt* statement, int place, const Value& value) noexcept {
  switch (value.kind()) {
    case ValueKind::null:
      return sqlite3_bind_null(statement, place);
    case ValueKind::integer:
      return sqlite3_bind_int64(statement, place, value.integer());
    case ValueKind::real:
      return sqlite3_bind_double(statement, place, value.real());
    case ValueKind::text: {
      // An empty view may hold no address, which SQLite would take for null.
      const auto text = value.text().empty() ? std::string_view("") : value.text();
      return sqlite3_bind_text64(statement, place, text.data(), text.size(), SQLITE_STATIC,
                                 SQLITE_UTF8);
    }
    case ValueKind::bytes: {
      const auto bytes = value.bytes();
      if (bytes.empty()) return sqlite3_bind_zeroblob(statement, place, 0);
      return sqlite3_bind_blob64(statement, place, bytes.data(), bytes.size(), SQLITE_STATIC);
    }
    case ValueKind::timestamp:
      return sqlite3_bind_int64(statement, place, value.timestamp().time_since_epoch().count());
    case ValueKind::uuid:
      return sqlite3_bind_blob64(statement, place, value.uuid().bytes.data(), 16, SQLITE_STATIC);
    case ValueKind::array:
      return SQLITE_MISMATCH;
  }
  return SQLITE_MISUSE;
}

[[noreturn]] void throw_strange_placeholders(std::string_view sql) {
  throw SqlError("sql.syntax", {.message = "placeholders are written $1, $2, ...",
                                .sqlstate = "42601",
                                .statement = sql,
                                .dialect = &kSqliteDialect});
}

SqliteHandle open_handle(const SqliteOptions& options, Access access) {
  // Readers open for reading only: no mistake of ours or the user's can make them write.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (access == Access::read_only ? SQLITE_OPEN_READONLY
                                                 : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3* raw = nullptr;
  const int result = sqlite3_open_v2(options.file.c_str(), &raw, flags, nullptr);
  SqliteHandle db(raw);
  if (result != SQLITE_OK) throw_sqlite_error(raw, result, "open");
  return db;
}

}  // namespace

// Watches what is compiled: which statements begin or end transactions (only the driver's own may)
// and which leave the connection dirty. SQLite itself tells, so that nothing hides from it.
class SqliteConnection::Authority {
 public:
  explicit Authority(sqlite3* db) : db_(db) { sqlite3_set_authorizer(db, &Authority::judge, this); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority() { sqlite3_set_authorizer(db_, nullptr, nullptr); }

  [[nodiscard]] bool dirties() const noexcept { return dirties_; }
  [[nodiscard]] bool controls_transaction() const noexcept { return controls_transaction_; }

 private:
  static int judge(void* self, int action, const char* first, const char* second,
                   const char* schema, const char*) noexcept {
    auto& authority = *static_cast<Authority*>(self);
    switch (action) {
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT:
        authority.controls_transaction_ = true;
        break;
      case SQLITE_PRAGMA:
        authority.dirties_ |= !only_reads(first == nullptr ? "" : first, second);
        break;
      case SQLITE_ATTACH:
      case SQLITE_DETACH:
      case SQLITE_CREATE_TEMP_INDEX:
      case SQLITE_CREATE_TEMP_TABLE:
      case SQLITE_CREATE_TEMP_TRIGGER:
      case SQLITE_CREATE_TEMP_VIEW:
        authority.dirties_ = true;
        break;
      case SQLITE_INSERT:
        // "create table temp.mine" is not told as a temporary one, but as a row for that schema.
        authority.dirties_ |= schema != nullptr && schema == std::string_view("temp");
        break;
      default:
        break;
    }
    return SQLITE_OK;
  }

  sqlite3* db_;
  bool dirties_ = false;
  bool controls_transaction_ = false;
};

// One execution: resets the statement at once, so that no lock outlives the call.
class SqliteConnection::Run {
 public:
  Run(SqliteConnection& connection, const SqliteStatement& statement) noexcept
      : connection_(connection), statement_(statement.handle.get()) {
    connection_.timed_out_ = false;
    connection_.cancelled_.store(false, std::memory_order_relaxed);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { sqlite3_reset(statement_); }

 private:
  SqliteConnection& connection_;
  sqlite3_stmt* statement_;
};

SqliteConnection::SqliteConnection(const SqliteOptions& options, Access access, OnClose on_close)
    : db_(open_handle(options, access)),
      access_(access),
      on_close_(std::move(on_close)),
      cache_(options.statements_max),
      text_bytes_max_(static_cast<std::size_t>(
          sqlite3_limit(db_.get(), SQLITE_LIMIT_SQL_LENGTH, /*newVal=*/-1))),
      busy_max_(options.busy_max) {
  configure(options);
  dirty_ = false;  // by the pragmas of our own
}

SqliteConnection::~SqliteConnection() {
  cache_.clear();  // a handle with open statements would not close
  db_.reset();     // rolls back what is open
  if (on_close_) on_close_();
}

void SqliteConnection::configure(const SqliteOptions& options) {
  bound_waits();
  command("pragma foreign_keys = on");
  command("pragma temp_store = memory");
  command("pragma cache_size = -" + std::to_string(options.cache_bytes / 1024));
  command("pragma mmap_size = " + std::to_string(options.mmap_bytes));
  if (access_ == Access::read_only) {
    // The race of two connections that checkpoint (SQLite up to 3.51.2) needs a second one. A file
    // that is open for reading only cannot be locked for it either.
    sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    command("pragma query_only = on");
    return;
  }
  // SQLite falls back to reading by itself, and BEGIN IMMEDIATE would not tell.
  if (sqlite3_db_readonly(db_.get(), "main") == 1) {
    throw SqlError("sql.read_only", {.message = "the file may not be written"});
  }
  auto journal = compile("pragma journal_mode = wal");
  if (const auto mode = fetch(journal, "pragma journal_mode = wal");
      mode.one().get<std::string_view>(0) != "wal") {
    throw SqlError("sql.unsupported",
                   {.message = "SQLite cannot keep a write-ahead log for " + options.file.string() +
                               " (a file system without shared memory?)"});
  }
  const std::string_view sync = options.synchronous == SqliteSync::full     ? "full"
                                : options.synchronous == SqliteSync::normal ? "normal"
                                                                            : "off";
  command("pragma synchronous = " + std::string(sync));
  sqlite3_wal_autocheckpoint(db_.get(), static_cast<int>(options.checkpoint_pages));
}

bool SqliteConnection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(db_.get()) == 0;
}

SqliteStatement SqliteConnection::compile(std::string_view sql) {
  db::require_valid_statement(sql, kSqliteDialect);
  const auto text = text_for_sqlite(sql);
  if (text.strange) throw_strange_placeholders(sql);
  require_fitting(text.sql);  // it may have grown
  SqliteStatement compiled;
  const Authority authority(db_.get());
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  const int result =
      sqlite3_prepare_v3(db_.get(), text.sql.data(), static_cast<int>(text.sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &raw, &rest);
  compiled.handle.reset(raw);
  // Most pragmas take effect here already, also where the statement is refused below.
  dirty_ |= authority.dirties();
  if (result != SQLITE_OK) throw_error(result, sql);
  const std::string_view remainder(
      rest, static_cast<std::size_t>(text.sql.data() + text.sql.size() - rest));
  if (raw == nullptr || !db::shape_of(remainder, kSqliteDialect).empty()) {
    throw SqlError("sql.syntax", {.message = "exactly one statement is expected",
                                  .sqlstate = "42601",
                                  .statement = sql,
                                  .dialect = &kSqliteDialect});
  }
  if (authority.controls_transaction()) {
    throw SqlError("sql.transaction_control",
                   {.message = "BEGIN, COMMIT and savepoints are the session's, not a statement's",
                    .statement = sql,
                    .dialect = &kSqliteDialect});
  }
  compiled.columns = columns_of(raw);
  compiled.writes = sqlite3_stmt_readonly(raw) == 0;
  compiled.dirties = authority.dirties();
  if (static_cast<std::size_t>(sqlite3_bind_parameter_count(raw)) != text.parameters.size())
    throw_strange_placeholders(sql);
  compiled.parameters = text.parameters;
  compiled.parameters_max = text.parameters_max;
  return compiled;
}

SqliteStatement& SqliteConnection::prepared(const Statement& statement,
                                            std::span<const Value> parameters) {
  require_fitting(statement.text);
  if (auto* found = cache_.find(statement)) return *found;
  kNoArrays.require_none(parameters, statement.text);  // a text made for them may be no SQL here
  auto& made = cache_.insert(statement, compile(statement.text));
  require_time(statement.text);  // nothing ends SQLite's compiling, which may have taken long
  return made;
}

// Asked before anything reads it: SQLite itself takes the size as an int.
void SqliteConnection::require_fitting(std::string_view sql) const {
  if (sql.size() <= text_bytes_max_) [[likely]]
    return;
  throw SqlError("sql.too_big", {.message = "the statement's text is longer than SQLite takes (" +
                                            std::to_string(text_bytes_max_) + " bytes)",
                                 .sqlstate = "54000",
                                 .native_code = SQLITE_TOOBIG,
                                 .statement = sql.substr(0, 400),  // of which the shape is told
                                 .dialect = &kSqliteDialect});
}

void SqliteConnection::bind(const SqliteStatement& statement, std::span<const Value> values,
                            std::string_view sql) const {
  if (values.size() != statement.parameters_max) {
    throw SqlError("sql.parameter_count",
                   {.message = "the statement takes " + std::to_string(statement.parameters_max) +
                               " parameters and was given " + std::to_string(values.size()),
                    .sqlstate = "07001",
                    .statement = sql,
                    .dialect = &kSqliteDialect});
  }
  int place = 0;
  for (const int number : statement.parameters) {
    const auto& value = values[static_cast<std::size_t>(number - 1)];
    const int result = bind_one(statement.handle.get(), ++place, value);
    if (result == SQLITE_OK) continue;
    if (value.kind() == ValueKind::array) kNoArrays.refuse(static_cast<std::size_t>(number), sql);
    throw_sqlite_error(db_.get(), result, sql);
  }
}

Result SqliteConnection::fetch(SqliteStatement& statement, std::string_view sql) {
  auto* handle = statement.handle.get();
  const auto changes_before = sqlite3_total_changes64(db_.get());
  const bool commits = statement.writes && !in_transaction();
  int result = sqlite3_step(handle);
  // SQLite compiles again by itself where the schema has changed, and `select *` with it.
  if (sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, /*resetFlg=*/1) != 0)
    statement.columns = columns_of(handle);
  Result::Builder rows(statement.columns);
  const int width = sqlite3_column_count(handle);
  for (; result == SQLITE_ROW; result = sqlite3_step(handle)) {
    for (int i = 0; i < width; ++i) add_cell(rows, handle, i);
  }
  // Its own COMMIT is part of it, with the same doubt.
  if (commits && (result & 0xff) == SQLITE_IOERR)
    throw_sqlite_commit_in_doubt(db_.get(), result, sql);
  if (result != SQLITE_DONE) throw_error(result, sql);
  const bool changed = statement.writes && sqlite3_total_changes64(db_.get()) != changes_before;
  return rows.finish(changed ? sqlite3_changes64(db_.get()) : 0);
}

Result SqliteConnection::do_execute(const Statement& statement, std::span<const Value> parameters) {
  auto& compiled = prepared(statement, parameters);
  dirty_ |= compiled.dirties || statement.leaves == Leaves::anything;
  const Run run(*this, compiled);
  bind(compiled, parameters, statement.text);
  return fetch(compiled, statement.text);
}

void SqliteConnection::throw_error(int result, std::string_view sql) {
  const bool given_up = (result & 0xff) == SQLITE_BUSY && result != SQLITE_BUSY_SNAPSHOT &&
                        (timed_out_ || cancelled_.load(std::memory_order_relaxed));
  if ((result & 0xff) == SQLITE_INTERRUPT || given_up) {
    const SqlFailure failure{.message = timed_out_ ? "the deadline passed while the statement ran"
                                                   : "the statement was cancelled",
                             .sqlstate = "57014",
                             .native_code = result,
                             .statement = sql,
                             .traits = {.retryable = true},
                             .dialect = &kSqliteDialect};
    if (timed_out_) throw SqlError("sql.deadline", failure);
    throw SqlError("sql.cancelled", failure);
  }
  throw_sqlite_error(db_.get(), result, sql);
}

int SqliteConnection::try_command(const char* sql) noexcept {
  return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
}

void SqliteConnection::command(const std::string& sql) {
  timed_out_ = false;
  cancelled_.store(false, std::memory_order_relaxed);
  if (const int result = try_command(sql.c_str()); result != SQLITE_OK) throw_error(result, sql);
}

}  // namespace carrel::drivers
