// For drivers of databases that take no arrays as parameters.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "carrel/db/sql_error.h"
#include "carrel/db/value.h"

namespace carrel::db {

// How such a database refuses one: with "sql.unsupported".
struct NoArrays {
  std::string_view database;
  const SqlDialect* dialect;

  [[noreturn]] void refuse(std::size_t number, std::string_view sql) const;
  void require_none(std::span<const Value> parameters, std::string_view sql) const;
};

}  // namespace carrel::db
