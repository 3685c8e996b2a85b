// Rows in the text format of COPY.
// https://www.postgresql.org/docs/15/sql-copy.html, "Text Format"
#pragma once

#include <string>

#include "carrel/db/value.h"

namespace carrel::postgres {

// Appends one field, without the delimiter.
void append_copy_field(std::string& to, const Value& value);

}  // namespace carrel::postgres
