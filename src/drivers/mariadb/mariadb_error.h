// What MariaDB's refusals mean: error numbers to carrel's codes.
#pragma once

#include <mysql.h>

#include <string>
#include <string_view>

#include "carrel/db/connection.h"
#include "carrel/db/sql_error.h"

namespace carrel::mariadb {

inline constexpr SqlDialect kDialect{.backslash_escapes = true, .hash_comments = true};

enum class Outcome {
  lasting,  // the same again ends the same
  passing,  // another try may succeed
  // Another try may succeed, of the whole transaction: the server has rolled back all of it, or a
  // part that nobody can name.
  rolled_back,
};

struct Meaning {
  ErrorCode code;
  Outcome outcome = Outcome::lasting;

  [[nodiscard]] bool retryable() const noexcept { return outcome != Outcome::lasting; }
  [[nodiscard]] bool ends_transaction() const noexcept { return outcome == Outcome::rolled_back; }
};
[[nodiscard]] Meaning meaning_of(unsigned number) noexcept;

// What the client library says when the server has gone.
[[nodiscard]] bool means_lost(unsigned number) noexcept;

// What went wrong, copied before another call overwrites it.
struct Trouble {
  unsigned number = 0;
  std::string sqlstate;
  std::string message;

  static Trouble of(MYSQL* connection);
  static Trouble of(MYSQL_STMT* statement);
};

[[nodiscard]] SqlError error_of(const Trouble& trouble, std::string_view statement);

}  // namespace carrel::mariadb
