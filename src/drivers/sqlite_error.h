// SQLite's result codes, as SqlErrors.
#pragma once

#include <sqlite3.h>

#include <string_view>

#include "carrel/db/connection.h"
#include "carrel/db/sql_error.h"

namespace carrel::drivers {

inline constexpr SqlDialect kSqliteDialect{.bracket_names = true};

// `db` may be null (when opening ran out of memory); its last message is used. `traits` overrules
// what the code says about retrying and doubt.
[[noreturn]] void throw_sqlite_error(sqlite3* db, int result, std::string_view statement);
[[noreturn]] void throw_sqlite_commit_in_doubt(sqlite3* db, int result, std::string_view statement);

}  // namespace carrel::drivers
