#include "db/no_arrays.h"

#include <string>

namespace carrel::db {

void NoArrays::refuse(std::size_t number, std::string_view sql) const {
  throw SqlError("sql.unsupported",
                 {.message = "parameter $" + std::to_string(number) + " is an array, which " +
                             std::string(database) + " does not take",
                  .statement = sql,
                  .dialect = dialect});
}

void NoArrays::require_none(std::span<const Value> parameters, std::string_view sql) const {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].kind() == ValueKind::array) refuse(i + 1, sql);
  }
}

}  // namespace carrel::db
