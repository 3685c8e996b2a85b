// The checker's questions, each one SQL statement over a whole table.
//
// Internal to the checker. A question answers one row for each violation: what row it is, what is
// wrong with it, and how many there are in all; it takes the number of rows wanted as $1.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/domain/book.h"

namespace carrel::ledger {

struct Check {
  std::string_view name;  // Violation::check
  std::string sql;
};

[[nodiscard]] std::vector<Check> checks_of(Book book);

}  // namespace carrel::ledger
