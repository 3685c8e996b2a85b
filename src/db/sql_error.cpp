#include "carrel/db/sql_error.h"

#include "carrel/db/connection.h"
#include "db/sql_scanner.h"

namespace carrel {
namespace {

std::string shape_in(const SqlFailure& failure) {
  return db::shape_of(failure.statement, failure.dialect ? *failure.dialect : SqlDialect());
}

std::string with_shape(const SqlFailure& failure) {
  const auto shape = shape_in(failure);
  return shape.empty() ? failure.message : failure.message + " [in: " + shape + "]";
}

}  // namespace

SqlError::SqlError(ErrorCode code, const SqlFailure& failure, std::source_location where)
    : Error(code, with_shape(failure), failure.traits, where),
      details_(std::make_shared<Details>(
          Details{failure.sqlstate, shape_in(failure), failure.native_code})) {}

bool SqlError::conflict() const noexcept {
  return code() == "sql.serialization_failure" || code() == "sql.deadlock";
}

}  // namespace carrel
