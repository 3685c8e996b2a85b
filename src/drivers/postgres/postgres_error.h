// What PostgreSQL's refusals mean: SQLSTATE to carrel's codes.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <string_view>

#include "carrel/db/connection.h"
#include "carrel/db/sql_error.h"

namespace carrel::postgres {

inline constexpr SqlDialect kDialect{
    .dollar_quotes = true, .nested_comments = true, .escape_strings = true};

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

struct Meaning {
  ErrorCode code;
  bool retryable = false;
};
[[nodiscard]] Meaning meaning_of(std::string_view sqlstate) noexcept;

[[nodiscard]] std::string_view sqlstate_of(const PGresult* result) noexcept;

// The server's words without anything that a parameter or a literal may have held.
[[nodiscard]] std::string message_of(const PGresult* result);

[[nodiscard]] SqlError error_of(const PGresult* result, std::string_view statement);

// "Canceling the wait for synchronous replication": a commit has been made on this server alone.
[[nodiscard]] bool warns_of_replicas(const PGresult* notice) noexcept;

// The server gives "cached plan must not change result type" and "no such prepared statement" for
// statements that need only be prepared again.
[[nodiscard]] bool asks_to_prepare_again(const PGresult* result) noexcept;

}  // namespace carrel::postgres
