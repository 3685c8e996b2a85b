#include "drivers/sqlite_error.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "db/sql_scanner.h"

namespace carrel::drivers {
namespace {

struct Meaning {
  ErrorCode code;
  std::string_view sqlstate;  // SQLite has none: the standard's for the same trouble
  bool retryable = false;
};

Meaning meaning_of_constraint(int extended) noexcept {
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return {"sql.unique_violation", "23505"};
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return {"sql.foreign_key_violation", "23503"};
    case SQLITE_CONSTRAINT_NOTNULL:
      return {"sql.not_null_violation", "23502"};
    case SQLITE_CONSTRAINT_DATATYPE:
      return {"sql.type_mismatch", "22000"};
    default:
      return {"sql.check_violation", "23514"};
  }
}

// SQLITE_ERROR covers everything wrong with a text; only the message tells what.
Meaning meaning_of_message(std::string_view message) noexcept {
  if (message.starts_with("too many SQL variables")) return {"sql.too_big", "54023"};
  if (message.starts_with("no such table")) return {"sql.no_table", "42P01"};
  if (message.starts_with("no such column")) return {"sql.no_column", "42703"};
  if (message.find("syntax error") != std::string_view::npos ||
      message.starts_with("incomplete input") || message.starts_with("unrecognized token"))
    return {"sql.syntax", "42601"};
  return {"sql.other", ""};
}

Meaning meaning_of(int extended, std::string_view message) noexcept {
  if (extended == SQLITE_BUSY_SNAPSHOT) return {"sql.serialization_failure", "40001", true};
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT:
      return meaning_of_constraint(extended);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"sql.busy", "55P03", true};
    case SQLITE_FULL:
      return {"sql.disk_full", "53100", true};
    case SQLITE_IOERR:
      return {"sql.io", "58030"};
    case SQLITE_NOTADB:
      return {"sql.not_a_database", ""};
    case SQLITE_CORRUPT:
      return {"sql.corrupt", "XX001"};
    case SQLITE_READONLY:
      return {"sql.read_only", "25006"};
    case SQLITE_CANTOPEN:
      return {"sql.io", "58030"};
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {"sql.access_denied", "42501"};
    case SQLITE_TOOBIG:
      return {"sql.too_big", "54000"};
    case SQLITE_MISMATCH:
      return {"sql.type_mismatch", "22000"};
    case SQLITE_RANGE:
      return {"sql.parameter_count", "07001"};
    case SQLITE_ERROR:
      return meaning_of_message(message);
    default:
      return {"sql.other", ""};
  }
}

}  // namespace

void throw_sqlite_error(sqlite3* db, int result, std::string_view statement) {
  const int extended = db == nullptr ? result : sqlite3_extended_errcode(db);
  std::string message = db == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(db);
  auto meaning = meaning_of(extended, message);
  const int system = db == nullptr ? 0 : sqlite3_system_errno(db);
  if (meaning.code == ErrorCode("sql.io") && system != 0) {
    message += ": " + std::generic_category().message(system);
    if (system == EACCES || system == EPERM) meaning = {"sql.access_denied", "42501"};
    if (system == ENOSPC || system == EDQUOT) meaning = {"sql.disk_full", "53100", true};
  }
  if (meaning.code == ErrorCode("sql.syntax"))  // near "'abc'": syntax error
    message = db::with_shape_between(std::move(message), "\"", "\"", kSqliteDialect);
  throw SqlError(meaning.code, {.message = message,
                                .sqlstate = std::string(meaning.sqlstate),
                                .native_code = extended,
                                .statement = statement,
                                .traits = {.retryable = meaning.retryable},
                                .dialect = &kSqliteDialect});
}

void throw_sqlite_commit_in_doubt(sqlite3* db, int result, std::string_view statement) {
  throw SqlError("sql.io",
                 {.message = std::string("COMMIT met an I/O error (") + sqlite3_errstr(result) +
                             "); whether it lasts shows after a restart or at the next "
                             "successful commit",
                  .sqlstate = "58030",
                  .native_code = sqlite3_extended_errcode(db),
                  .statement = statement,
                  .traits = {.in_doubt = true},
                  .dialect = &kSqliteDialect});
}

}  // namespace carrel::drivers
