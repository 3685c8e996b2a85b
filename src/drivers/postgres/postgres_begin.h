// Begin: the ways to begin a transaction, each with its text and the name it is prepared under.
#pragma once

#include <cstddef>
#include <string>

#include "carrel/db/connection.h"

namespace carrel::postgres {

struct Begin {
  static constexpr std::size_t kCount = 16;  // isolation x access x deferrable

  std::size_t number;
  std::string sql;
  std::string name;
};

// Lives as long as the program.
[[nodiscard]] const Begin& begin_for(const BeginOptions& options);

}  // namespace carrel::postgres
