// SqlError: a database said no, or could not be asked.
//
// One code for one kind of trouble, the same on every database, so that callers never compare
// vendors' numbers:
//
//   catch (const carrel::SqlError& error) {
//     if (error.code() == "sql.unique_violation") return already_exists();
//     throw;
//   }
//
// sql.unique_violation, sql.foreign_key_violation, sql.not_null_violation, sql.check_violation,
// sql.serialization_failure, sql.deadlock, sql.busy, sql.lock_timeout, sql.deadline, sql.cancelled,
// sql.syntax, sql.no_table, sql.no_column, sql.parameter_count, sql.type_mismatch,
// sql.value_out_of_range, sql.invalid_text, sql.too_big, sql.rolled_back, sql.transaction_lost,
// sql.connection_lost, sql.cannot_connect, sql.access_denied, sql.no_database, sql.no_directory,
// sql.in_use, sql.read_only, sql.not_a_database, sql.corrupt, sql.disk_full, sql.io,
// sql.server_too_old, sql.unsupported, sql.implicit_commit, sql.transaction_control, sql.no_role,
// sql.invalid_place, sql.other. Reading a result throws some of its own, which are plain Errors
// (sql.null_value, sql.unexpected_rows, sql.unexpected_columns): see result.h.
//
// The message names the statement's shape: its text with every literal replaced by `?`. Values of
// parameters never appear, since messages end in logs.
//
// Threads: immutable. Lifetime: owns its texts.
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <string_view>

#include "carrel/base/error.h"

namespace carrel {

struct SqlDialect;

// What a driver knows about a failure besides its code.
struct SqlFailure {
  std::string message = {};         // the database's own words, free of values
  std::string sqlstate = {};        // five characters; empty where the database has none
  int native_code = 0;              // the client library's number
  std::string_view statement = {};  // its text, whose shape is kept
  ErrorTraits traits = {};
  const SqlDialect* dialect = nullptr;  // how to read the statement; standard SQL where left out
};

class SqlError : public Error {
 public:
  SqlError(ErrorCode code, const SqlFailure& failure,
           std::source_location where = std::source_location::current());

  [[nodiscard]] std::string_view sqlstate() const noexcept { return details_->sqlstate; }
  [[nodiscard]] int native_code() const noexcept { return details_->native_code; }
  [[nodiscard]] std::string_view statement_shape() const noexcept { return details_->shape; }

  // The transaction lost against another one and may be run again as a whole.
  [[nodiscard]] bool conflict() const noexcept;

 private:
  struct Details {
    std::string sqlstate;
    std::string shape;
    int native_code;
  };
  // Shared, since copying an exception must not throw.
  std::shared_ptr<const Details> details_;
};

}  // namespace carrel
