// What every driver asks of a statement's text before it reads it the first time.
#pragma once

#include <string_view>

#include "carrel/db/sql_error.h"
#include "db/utf8.h"

namespace carrel::db {

// Client libraries disagree where such a text ends: one would run what stands before a NUL. The
// text that the error tells ends there as well.
inline void require_valid_statement(std::string_view sql, const SqlDialect& dialect) {
  if (is_valid_text(sql)) return;
  throw SqlError("sql.invalid_text",
                 {.message = "the statement's text is no valid UTF-8 or holds a NUL",
                  .statement = sql.substr(0, sql.find('\0')),
                  .dialect = &dialect});
}

}  // namespace carrel::db
