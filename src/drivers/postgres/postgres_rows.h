// A PGresult as a Result: cells by the type of their column.
#pragma once

#include <libpq-fe.h>

#include <memory>

#include "carrel/db/result.h"

namespace carrel::postgres {

[[nodiscard]] std::shared_ptr<const Result::Columns> columns_of(const PGresult* result);

// `columns` as columns_of() gave them for this statement.
[[nodiscard]] Result rows_of(const PGresult* result,
                             std::shared_ptr<const Result::Columns> columns);

}  // namespace carrel::postgres
