#include "drivers/remote/statement_text.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "db/sql_scanner.h"

namespace carrel::remote {
namespace {

using std::string_view;

// Words that may stand right before a parenthesis without leaving anything in the session: syntax,
// types and functions of both servers. Sorted, for binary search.
constexpr auto kHarmless = std::to_array<string_view>({
    "abs",
    "age",
    "all",
    "analyze",
    "and",
    "any",
    "array",
    "array_agg",
    "array_length",
    "array_position",
    "array_to_string",
    "as",
    "avg",
    "between",
    "bigint",
    "bit",
    "bit_length",
    "bool_and",
    "bool_or",
    "btrim",
    "by",
    "cardinality",
    "case",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character",
    "chr",
    "clock_timestamp",
    "coalesce",
    "concat",
    "concat_ws",
    "conflict",
    "connection_id",
    "convert",
    "count",
    "cube",
    "cume_dist",
    "current_date",
    "current_setting",
    "current_time",
    "current_timestamp",
    "date",
    "date_add",
    "date_format",
    "date_part",
    "date_sub",
    "date_trunc",
    "datediff",
    "datetime",
    "decimal",
    "decode",
    "dense_rank",
    "distinct",
    "div",
    "else",
    "encode",
    "every",
    "except",
    "exists",
    "exp",
    "extract",
    "filter",
    "first_value",
    "float",
    "floor",
    "format",
    "from",
    "from_unixtime",
    "gen_random_uuid",
    "generate_series",
    "greatest",
    "group",
    "group_concat",
    "hex",
    "if",
    "ifnull",
    "in",
    "index",
    "initcap",
    "int",
    "integer",
    "intersect",
    "interval",
    "is",
    "isnull",
    "json_agg",
    "json_array",
    "json_build_array",
    "json_build_object",
    "json_extract",
    "json_object",
    "json_object_agg",
    "json_unquote",
    "json_value",
    "jsonb_agg",
    "jsonb_array_elements",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_extract_path_text",
    "jsonb_object_agg",
    "jsonb_set",
    "key",
    "lag",
    "last_insert_id",
    "last_value",
    "lateral",
    "lead",
    "least",
    "left",
    "length",
    "like",
    "limit",
    "ln",
    "localtime",
    "localtimestamp",
    "locate",
    "log",
    "lower",
    "lpad",
    "ltrim",
    "make_date",
    "make_interval",
    "make_timestamptz",
    "materialized",
    "max",
    "md5",
    "mid",
    "min",
    "mod",
    "nextval",
    "not",
    "now",
    "nth_value",
    "ntile",
    "nullif",
    "numeric",
    "octet_length",
    "offset",
    "on",
    "only",
    "or",
    "over",
    "overlay",
    "partition",
    "percent_rank",
    "percentile_cont",
    "percentile_disc",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_backend_pid",
    "pg_current_xact_id",
    "pg_sleep",
    "pg_try_advisory_xact_lock",
    "pg_typeof",
    "pi",
    "position",
    "pow",
    "power",
    "random",
    "rank",
    "regexp_replace",
    "repeat",
    "replace",
    "returning",
    "reverse",
    "right",
    "rollup",
    "round",
    "row",
    "row_count",
    "row_number",
    "row_to_json",
    "rpad",
    "rtrim",
    "select",
    "set",
    "sets",
    "sha2",
    "sha256",
    "sign",
    "sleep",
    "some",
    "split_part",
    "sqrt",
    "starts_with",
    "statement_timestamp",
    "stddev",
    "string_agg",
    "strpos",
    "substr",
    "substring",
    "sum",
    "sysdate",
    "then",
    "time",
    "timestamp",
    "timestampdiff",
    "timestamptz",
    "timezone",
    "to_char",
    "to_date",
    "to_hex",
    "to_json",
    "to_jsonb",
    "to_number",
    "to_timestamp",
    "transaction_timestamp",
    "trim",
    "trunc",
    "truncate",
    "txid_current",
    "unhex",
    "union",
    "unique",
    "unix_timestamp",
    "unnest",
    "upper",
    "using",
    "utc_timestamp",
    "uuid",
    "values",
    "varbinary",
    "varchar",
    "variance",
    "version",
    "when",
    "where",
    "width_bucket",
    "window",
    "with",
    "within",
});
static_assert(std::ranges::is_sorted(kHarmless));

constexpr auto kQueries = std::to_array<string_view>(
    {"delete", "insert", "merge", "replace", "select", "table", "update", "values", "with"});

// Statements that are about the database, not about the session.
constexpr auto kSchema = std::to_array<string_view>(
    {"alter", "analyze", "cluster", "comment", "create", "drop", "grant", "lock", "optimize",
     "refresh", "reindex", "rename", "revoke", "show", "truncate", "vacuum"});

constexpr auto kControl = std::to_array<string_view>(
    {"abort", "begin", "commit", "end", "release", "rollback", "savepoint", "start", "xa"});

// MariaDB ends the running transaction before (and mostly after) each of these.
// https://mariadb.com/kb/en/sql-statements-that-cause-an-implicit-commit/
constexpr auto kCommitting = std::to_array<string_view>(
    {"alter", "analyze", "cache",    "change",   "check",     "create", "drop",
     "flush", "grant",   "install",  "lock",     "optimize",  "rename", "repair",
     "reset", "revoke",  "shutdown", "truncate", "uninstall", "unlock"});

template <std::size_t N>
bool among(const std::array<string_view, N>& words, string_view word) noexcept {
  return std::ranges::binary_search(words, word);
}

std::string lower(string_view word) {
  std::string made(word);
  for (char& c : made) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return made;
}

// Follows the words of one statement.
class Reader {
 public:
  explicit Reader(const SqlDialect& dialect) noexcept : dialect_(dialect) {}

  void take(const db::Token& token) {
    switch (token.kind) {
      case db::TokenKind::word:
        take_word(lower(token.text));
        break;
      case db::TokenKind::quoted_name:
      case db::TokenKind::slot:
        last_ = expects_table_ ? Last::table : Last::name;
        expects_table_ = false;
        break;
      case db::TokenKind::symbol:
        take_symbol(token.text.front());
        break;
      case db::TokenKind::parameter:
        text_.parameters = std::max(text_.parameters, db::parameter_number(token.text));
        last_ = Last::other;
        break;
      default:
        last_ = Last::other;
    }
  }

  StatementText finish() && {
    const string_view first = text_.first_word;
    const bool query = among(kQueries, first) || first == "explain";
    const bool schema = among(kSchema, first);
    text_.controls_transaction = among(kControl, first) ||
                                 (first == "prepare" && second_word_ == "transaction") ||
                                 (first == "set" && second_word_ == "autocommit");
    const bool calls = unknown_call_ && (query || selects_);
    const bool locks_session = first == "lock" && dialect_.hash_comments;
    text_.leaves_session_as_is = (query || schema || first.empty()) && !calls && !temporary_ &&
                                 variables_ == 0 && !locks_session;
    text_.is_query = among(kQueries, first);
    text_.only_reads = !unknown_call_ && !writes_ &&
                       (first == "select" || first == "with" || first == "values" ||
                        first == "table" || first == "show" || first.empty());
    text_.commits_implicitly =
        among(kCommitting, first) && !(temporary_ && (first == "create" || first == "drop"));
    text_.drops_prepared = first == "deallocate" || first == "discard";
    text_.prepares = first == "prepare";
    return std::move(text_);
  }

 private:
  enum class Last { other, harmless, name, table, at };

  void take_word(const std::string& word) {
    if (words_ == 0) text_.first_word = word;
    if (words_ == 1) second_word_ = word;
    ++words_;
    if (word == "temp" || word == "temporary" || word == "pg_temp") temporary_ = true;
    if (word == "select") selects_ = true;
    if (word == "insert" || word == "update" || word == "delete" || word == "merge" ||
        word == "into")
      writes_ = true;
    // "insert into t (a, b)", "create table t (a int)", "with t (a) as": a list, not a call.
    if (expects_table_ && last_ != Last::table) {
      last_ = Last::table;
    } else {
      last_ = among(kHarmless, word) ? Last::harmless : Last::name;
    }
    expects_table_ = word == "into" || word == "table" || word == "references" ||
                     word == "exists" || word == "recursive" || (word == "with" && words_ == 1);
    if (expects_table_) last_ = Last::harmless;
  }

  void take_symbol(char symbol) noexcept {
    if (symbol == '(' && last_ == Last::name) unknown_call_ = true;
    if (symbol == '(') expects_table_ = false;
    if (symbol == '.' && last_ == Last::table) expects_table_ = true;
    // MariaDB: "@name" is a variable of the session, "@@name" reads a setting.
    if (symbol == '@' && dialect_.hash_comments) {
      variables_ += last_ == Last::at ? -1 : 1;
      last_ = Last::at;
    } else {
      last_ = Last::other;
    }
  }

  const SqlDialect& dialect_;
  StatementText text_;
  std::string second_word_;
  std::size_t words_ = 0;
  int variables_ = 0;
  Last last_ = Last::other;
  bool expects_table_ = false;
  bool temporary_ = false;
  bool selects_ = false;
  bool writes_ = false;
  bool unknown_call_ = false;
};

}  // namespace

StatementText read_statement(string_view sql, const SqlDialect& dialect) {
  Reader reader(dialect);
  db::SqlScanner scanner(sql, dialect);
  while (const auto token = scanner.next()) {
    if (token->kind == db::TokenKind::space || token->kind == db::TokenKind::comment) continue;
    reader.take(*token);
  }
  return std::move(reader).finish();
}

}  // namespace carrel::remote
