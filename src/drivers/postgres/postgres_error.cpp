#include "drivers/postgres/postgres_error.h"

#include <algorithm>
#include <array>
#include <utility>

#include "db/sql_scanner.h"

namespace carrel::postgres {
namespace {

struct Row {
  std::string_view sqlstate;  // five characters, or the two of a class
  Meaning meaning;
};

// https://www.postgresql.org/docs/15/errcodes-appendix.html. The first that fits holds.
constexpr auto kMeanings = std::to_array<Row>({
    {"23505", {"sql.unique_violation"}},
    {"23P01", {"sql.unique_violation"}},  // an exclusion constraint
    {"23503", {"sql.foreign_key_violation"}},
    {"23001", {"sql.foreign_key_violation"}},
    {"23502", {"sql.not_null_violation"}},
    {"23514", {"sql.check_violation"}},
    {"23", {"sql.check_violation"}},
    {"40001", {"sql.serialization_failure", true}},
    {"40P01", {"sql.deadlock", true}},
    {"40002", {"sql.check_violation"}},
    {"40", {"sql.rolled_back"}},
    {"55P03", {"sql.lock_timeout", true}},
    {"55006", {"sql.busy", true}},
    {"57014", {"sql.cancelled", true}},
    {"57P03", {"sql.cannot_connect", true}},  // starting up, or shutting down
    {"57P04", {"sql.no_database"}},
    {"57P", {"sql.connection_lost", true}},
    {"08", {"sql.connection_lost", true}},
    {"53300", {"sql.cannot_connect", true}},  // too many connections
    {"53100", {"sql.disk_full", true}},
    {"53", {"sql.busy", true}},
    {"28", {"sql.access_denied"}},
    {"42501", {"sql.access_denied"}},
    {"3D000", {"sql.no_database"}},
    {"42P01", {"sql.no_table"}},
    {"42703", {"sql.no_column"}},
    {"42P02", {"sql.parameter_count"}},
    {"42804", {"sql.type_mismatch"}},
    {"42846", {"sql.type_mismatch"}},
    {"42883", {"sql.type_mismatch"}},  // no such function, or operator, for these types
    {"42725", {"sql.type_mismatch"}},
    {"42P18", {"sql.type_mismatch"}},
    {"42601", {"sql.syntax"}},
    {"42", {"sql.syntax"}},
    {"22003", {"sql.value_out_of_range"}},
    {"22008", {"sql.value_out_of_range"}},
    {"22001", {"sql.too_big"}},
    {"22021", {"sql.invalid_text"}},
    {"22P05", {"sql.invalid_text"}},
    {"22P02", {"sql.type_mismatch"}},
    {"22P03", {"sql.type_mismatch"}},
    {"22007", {"sql.type_mismatch"}},
    {"54", {"sql.too_big"}},
    {"25006", {"sql.read_only"}},
    {"25P02", {"sql.rolled_back"}},  // an earlier statement has spoiled the transaction
    {"25P03", {"sql.transaction_lost", true}},
    {"25", {"sql.transaction_control"}},
    {"2D", {"sql.transaction_control"}},
    {"3B", {"sql.transaction_control"}},
    {"0A", {"sql.unsupported"}},
    {"58", {"sql.io"}},
    {"XX001", {"sql.corrupt"}},
    {"XX002", {"sql.corrupt"}},
});

std::string_view field(const PGresult* result, int code) noexcept {
  const char* text = result == nullptr ? nullptr : PQresultErrorField(result, code);
  return text == nullptr ? std::string_view() : text;
}

std::string message_without_values(std::string_view sqlstate, std::string message) {
  if (sqlstate == "42601")  // syntax error at or near "'abc'"
    return db::with_shape_between(std::move(message), " near \"", "\"", kDialect);
  if (!sqlstate.starts_with("22")) return message;
  // Data errors quote the value: invalid input syntax for type integer: "abc".
  const auto first = message.find('"');
  const auto last = message.rfind('"');
  if (first == std::string::npos || last <= first) return message;
  // Not by replace(), in which gcc 12 sees an overlap that cannot be.
  return message.substr(0, first).append("?").append(message, last + 1);
}

}  // namespace

Meaning meaning_of(std::string_view sqlstate) noexcept {
  const auto found = std::ranges::find_if(
      kMeanings, [&](const Row& row) { return sqlstate.starts_with(row.sqlstate); });
  return found == kMeanings.end() ? Meaning{"sql.other"} : found->meaning;
}

std::string_view sqlstate_of(const PGresult* result) noexcept {
  return field(result, PG_DIAG_SQLSTATE);
}

std::string message_of(const PGresult* result) {
  return message_without_values(sqlstate_of(result),
                                std::string(field(result, PG_DIAG_MESSAGE_PRIMARY)));
}

SqlError error_of(const PGresult* result, std::string_view statement) {
  const auto sqlstate = sqlstate_of(result);
  const auto meaning = meaning_of(sqlstate);
  return SqlError(meaning.code, {.message = message_of(result),
                                 .sqlstate = std::string(sqlstate),
                                 .statement = statement,
                                 .traits = {.retryable = meaning.retryable},
                                 .dialect = &kDialect});
}

// By its place in the server's source. Its state is that of any warning (01000) where the wait was
// cancelled, and that of any server which is told to end (57P01) where it was terminated.
bool warns_of_replicas(const PGresult* notice) noexcept {
  return field(notice, PG_DIAG_SOURCE_FUNCTION) == "SyncRepWaitForLSN";
}

bool asks_to_prepare_again(const PGresult* result) noexcept {
  const auto sqlstate = sqlstate_of(result);
  if (sqlstate == "26000") return true;
  return sqlstate == "0A000" && field(result, PG_DIAG_SOURCE_FUNCTION) == "RevalidateCachedQuery";
}

}  // namespace carrel::postgres
