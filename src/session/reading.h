// Which statements only read, as far as their words tell.
#pragma once

#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::session {

// For a call that promised to read only, inside a transaction that may write: the database would
// take its writes. False for what changes something, for SELECT ... FOR UPDATE, and for what begins
// with a word that is not known. A function that writes is not noticed: its name tells nothing.
[[nodiscard]] bool only_reads(std::string_view sql, const SqlDialect& dialect);

}  // namespace carrel::session
