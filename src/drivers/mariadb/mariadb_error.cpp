#include "drivers/mariadb/mariadb_error.h"

#include <errmsg.h>
#include <mysqld_error.h>

#include <algorithm>
#include <array>

#include "db/sql_scanner.h"

namespace carrel::mariadb {
namespace {

struct Row {
  unsigned number;
  Meaning meaning;
};

// Named in newer headers than Debian 12's.
constexpr unsigned kConstraintFailed = 4025;

// https://mariadb.com/kb/en/mariadb-error-code-reference/
constexpr auto kMeanings = std::to_array<Row>({
    {ER_DUP_ENTRY, {"sql.unique_violation"}},
    {ER_DUP_ENTRY_WITH_KEY_NAME, {"sql.unique_violation"}},
    {ER_DUP_UNIQUE, {"sql.unique_violation"}},
    {ER_NO_REFERENCED_ROW, {"sql.foreign_key_violation"}},
    {ER_ROW_IS_REFERENCED, {"sql.foreign_key_violation"}},
    {ER_ROW_IS_REFERENCED_2, {"sql.foreign_key_violation"}},
    {ER_NO_REFERENCED_ROW_2, {"sql.foreign_key_violation"}},
    {ER_BAD_NULL_ERROR, {"sql.not_null_violation"}},
    {ER_NO_DEFAULT_FOR_FIELD, {"sql.not_null_violation"}},
    {kConstraintFailed, {"sql.check_violation"}},
    {ER_LOCK_DEADLOCK, {"sql.deadlock", Outcome::rolled_back}},
    {ER_CHECKREAD,
     {"sql.serialization_failure", Outcome::rolled_back}},  // innodb_snapshot_isolation
    {ER_TABLE_DEF_CHANGED, {"sql.serialization_failure", Outcome::rolled_back}},
    {ER_LOCK_WAIT_TIMEOUT, {"sql.lock_timeout", Outcome::rolled_back}},
    {ER_QUERY_INTERRUPTED, {"sql.cancelled", Outcome::passing}},
    {ER_STATEMENT_TIMEOUT, {"sql.cancelled", Outcome::passing}},
    {ER_PARSE_ERROR, {"sql.syntax"}},
    {ER_SYNTAX_ERROR, {"sql.syntax"}},
    {ER_EMPTY_QUERY, {"sql.syntax"}},
    {ER_NO_SUCH_TABLE, {"sql.no_table"}},
    {ER_BAD_TABLE_ERROR, {"sql.no_table"}},
    {ER_BAD_FIELD_ERROR, {"sql.no_column"}},
    {ER_ACCESS_DENIED_ERROR, {"sql.access_denied"}},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, {"sql.access_denied"}},
    {ER_DBACCESS_DENIED_ERROR, {"sql.access_denied"}},
    {ER_TABLEACCESS_DENIED_ERROR, {"sql.access_denied"}},
    {ER_COLUMNACCESS_DENIED_ERROR, {"sql.access_denied"}},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, {"sql.access_denied"}},
    {ER_HOST_NOT_PRIVILEGED, {"sql.access_denied"}},
    {ER_INVALID_ROLE, {"sql.no_role"}},  // there is none, or it was not granted
    {ER_BAD_DB_ERROR, {"sql.no_database"}},
    {ER_NO_DB_ERROR, {"sql.no_database"}},
    {ER_CON_COUNT_ERROR, {"sql.cannot_connect", Outcome::passing}},
    {ER_TOO_MANY_USER_CONNECTIONS, {"sql.cannot_connect", Outcome::passing}},
    {CR_CONNECTION_ERROR, {"sql.cannot_connect", Outcome::passing}},
    {CR_CONN_HOST_ERROR, {"sql.cannot_connect", Outcome::passing}},
    {CR_UNKNOWN_HOST, {"sql.cannot_connect", Outcome::passing}},
    {CR_SSL_CONNECTION_ERROR, {"sql.cannot_connect"}},
    {ER_SERVER_SHUTDOWN, {"sql.connection_lost", Outcome::passing}},
    {ER_CONNECTION_KILLED, {"sql.connection_lost", Outcome::passing}},
    {ER_NET_READ_ERROR, {"sql.connection_lost", Outcome::passing}},
    {ER_NET_READ_INTERRUPTED, {"sql.connection_lost", Outcome::passing}},
    {ER_NET_ERROR_ON_WRITE, {"sql.connection_lost", Outcome::passing}},
    {ER_NET_WRITE_INTERRUPTED, {"sql.connection_lost", Outcome::passing}},
    {CR_SERVER_GONE_ERROR, {"sql.connection_lost", Outcome::passing}},
    {CR_SERVER_LOST, {"sql.connection_lost", Outcome::passing}},
    {CR_SERVER_LOST_EXTENDED, {"sql.connection_lost", Outcome::passing}},
    {ER_WARN_DATA_OUT_OF_RANGE, {"sql.value_out_of_range"}},
    {ER_DATA_OUT_OF_RANGE, {"sql.value_out_of_range"}},
    {ER_DATETIME_FUNCTION_OVERFLOW, {"sql.value_out_of_range"}},
    {ER_DATA_TOO_LONG, {"sql.too_big"}},
    {ER_NET_PACKET_TOO_LARGE, {"sql.too_big"}},
    {CR_NET_PACKET_TOO_LARGE, {"sql.too_big"}},
    {ER_TRUNCATED_WRONG_VALUE, {"sql.type_mismatch"}},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, {"sql.type_mismatch"}},
    {WARN_DATA_TRUNCATED, {"sql.type_mismatch"}},
    {ER_SP_DOES_NOT_EXIST, {"sql.type_mismatch"}},  // no such function
    {ER_INVALID_CHARACTER_STRING, {"sql.invalid_text"}},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, {"sql.read_only"}},
    {ER_OPTION_PREVENTS_STATEMENT, {"sql.read_only"}},
    {ER_READ_ONLY_MODE, {"sql.read_only"}},
    {ER_DISK_FULL, {"sql.disk_full", Outcome::passing}},
    {ER_RECORD_FILE_FULL, {"sql.disk_full", Outcome::passing}},
    {ER_ERROR_ON_READ, {"sql.io"}},
    {ER_ERROR_ON_WRITE, {"sql.io"}},
    {ER_NOT_KEYFILE, {"sql.corrupt"}},
    {ER_NOT_SUPPORTED_YET, {"sql.unsupported"}},
    {ER_UNSUPPORTED_PS, {"sql.unsupported"}},
    {ER_CANT_CHANGE_TX_CHARACTERISTICS, {"sql.transaction_control"}},
    {ER_UNKNOWN_COM_ERROR, {"sql.busy", Outcome::passing}},  // Galera: this node is not ready
});

// Errors of data quote it: Duplicate entry 'tiger' for key 'PRIMARY'. The names that may follow are
// kept.
bool quotes_data(const Trouble& trouble) noexcept {
  constexpr std::array numbers = {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD,
                                  ER_TRUNCATED_WRONG_VALUE,
                                  ER_INVALID_CHARACTER_STRING,
                                  ER_WRONG_VALUE,
                                  ER_WRONG_VALUE_FOR_TYPE,
                                  ER_UNKNOWN_TIME_ZONE};
  return trouble.sqlstate.starts_with("22") || trouble.sqlstate.starts_with("23") ||
         std::ranges::find(numbers, static_cast<int>(trouble.number)) != numbers.end();
}

std::string message_without_values(const Trouble& trouble) {
  const auto& message = trouble.message;
  const auto with_nothing_after = [&](std::string_view words) {
    const auto found = message.find(words);
    return found == std::string::npos ? message : message.substr(0, found + words.size()) + "?";
  };
  switch (trouble.number) {
    case ER_PARSE_ERROR:
      return db::with_shape_between(message, " near '", "' at line", kDialect);
    case ER_NO_PARTITION_FOR_GIVEN_VALUE:
      return with_nothing_after(" for value ");
    case ER_WRONG_VALUE_FOR_VAR:
      return with_nothing_after(" to the value of ");
    default:
      break;
  }
  const auto first = message.find('\'');
  if (!quotes_data(trouble) || first == std::string::npos) return message;
  // A value may hold quotes itself: it ends where the server's own words go on.
  auto end = message.find("' for ", first + 1);
  if (end == std::string::npos) end = message.rfind('\'');
  if (end <= first) return message;
  // Not by replace(), in which gcc 12 sees an overlap that cannot be.
  return message.substr(0, first).append("?").append(message, end + 1);
}

}  // namespace

Meaning meaning_of(unsigned number) noexcept {
  const auto found =
      std::ranges::find_if(kMeanings, [&](const Row& row) { return row.number == number; });
  return found == kMeanings.end() ? Meaning{"sql.other"} : found->meaning;
}

bool means_lost(unsigned number) noexcept {
  return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST ||
         number == CR_SERVER_LOST_EXTENDED || number == ER_CONNECTION_KILLED ||
         number == ER_SERVER_SHUTDOWN || number == CR_MALFORMED_PACKET;
}

Trouble Trouble::of(MYSQL* connection) {
  return {mysql_errno(connection), mysql_sqlstate(connection), mysql_error(connection)};
}

Trouble Trouble::of(MYSQL_STMT* statement) {
  return {mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement)};
}

SqlError error_of(const Trouble& trouble, std::string_view statement) {
  const auto meaning = meaning_of(trouble.number);
  return SqlError(meaning.code, {.message = message_without_values(trouble),
                                 .sqlstate = trouble.sqlstate,
                                 .native_code = static_cast<int>(trouble.number),
                                 .statement = statement,
                                 .traits = {.retryable = meaning.retryable()},
                                 .dialect = &kDialect});
}

}  // namespace carrel::mariadb
