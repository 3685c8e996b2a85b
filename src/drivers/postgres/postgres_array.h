// Arrays as parameters, in PostgreSQL's binary form.
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "carrel/db/value.h"

namespace carrel::postgres {

// bigint[] for integers, and so on.
[[nodiscard]] Oid array_type_of(ValueKind element) noexcept;

// For the messages: which parameter of which statement.
struct ParameterName {
  std::size_t number;
  std::string_view sql;
};

// How many bytes it becomes. Throws, for what PostgreSQL cannot take, "sql.invalid_text",
// "sql.type_mismatch", "sql.too_big", "sql.value_out_of_range", "sql.unsupported".
[[nodiscard]] std::size_t require_fits(const Array& array, const ParameterName& name);

// Of an array that fits, in place of what `encoded` held.
void encode_array(const Array& array, std::string& encoded);

}  // namespace carrel::postgres
