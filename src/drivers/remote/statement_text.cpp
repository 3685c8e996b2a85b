#include "drivers/remote/statement_text.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "db/sql_scanner.h"
#include "drivers/remote/harmless_calls.h"

namespace carrel::remote {
namespace {

using std::string_view;

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

// MariaDB runs what stands in it.
bool is_executed(string_view comment, const SqlDialect& dialect) noexcept {
  return dialect.hash_comments && (comment.starts_with("/*!") || comment.starts_with("/*M!"));
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
        if (token.text.find("pg_temp") != string_view::npos) temporary_ = true;
        last_ = last_ == Last::as ? Last::harmless : expects_table_ ? Last::table : Last::name;
        expects_table_ = false;
        break;
      case db::TokenKind::symbol:
        take_symbol(token.text.front());
        break;
      case db::TokenKind::parameter:
        text_.parameters = std::max(text_.parameters, db::parameter_number(token.text));
        last_ = Last::other;
        break;
      case db::TokenKind::comment:
        // Whatever it says, it is not looked into.
        if (is_executed(token.text, dialect_)) executed_comment_ = unknown_call_ = true;
        break;
      case db::TokenKind::space:
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
    const bool locks_tables = first == "lock" && dialect_.hash_comments;
    const bool calls = first == "call" || first == "do";
    const bool as_it_was = (query || schema || calls || first.empty()) && !temporary_ &&
                           variables_ == 0 && !locks_tables && !executed_comment_;
    text_.shows = !as_it_was ? Leaves::anything : locks_ ? Leaves::locks : Leaves::nothing;
    // PostgreSQL's DO is a block, MariaDB's a list of expressions.
    text_.hides = unknown_call_ || first == "call" || (first == "do" && dialect_.dollar_quotes);
    text_.is_query = among(kQueries, first);
    text_.only_reads = !unknown_call_ && !locks_ && !writes_ &&
                       (first == "select" || first == "with" || first == "values" ||
                        first == "table" || first == "show" || first.empty());
    text_.commits_implicitly =
        among(kCommitting, first) && !(temporary_ && (first == "create" || first == "drop"));
    text_.drops_prepared = first == "deallocate" || first == "discard";
    return std::move(text_);
  }

 private:
  enum class Last { other, harmless, locking, name, table, at, dot, as };

  void take_word(const std::string& word) {
    if (words_ == 0) text_.first_word = word;
    if (words_ == 1) second_word_ = word;
    ++words_;
    if (word == "temp" || word == "temporary" || word.starts_with("pg_temp")) temporary_ = true;
    if (word == "insert" || word == "update" || word == "delete" || word == "merge" ||
        word == "into")
      writes_ = true;
    // "insert into t (a, b)", "create table t (a int)", "with t (a) as": a list, not a call.
    if (expects_table_ && last_ != Last::table) {
      last_ = Last::table;
    } else if (last_ == Last::dot) {
      last_ = Last::name;  // "app.log(...)" is nobody's log() but the application's
    } else if (last_ == Last::as) {
      last_ = Last::harmless;  // "unnest($1, $2) as given (id, amount)": names of columns
    } else if (word == "as") {
      last_ = Last::as;
    } else {
      last_ = is_harmless_call(word)            ? Last::harmless
              : is_locking_call(word, dialect_) ? Last::locking
                                                : Last::name;
    }
    expects_table_ = word == "into" || word == "table" || word == "references" ||
                     word == "exists" || word == "recursive" || (word == "with" && words_ == 1);
    if (expects_table_) last_ = Last::harmless;
  }

  void take_symbol(char symbol) noexcept {
    if (symbol == '(' && last_ == Last::name) unknown_call_ = true;
    if (symbol == '(' && last_ == Last::locking) locks_ = true;
    if (symbol == '(') expects_table_ = false;
    if (symbol == '.' && last_ == Last::table) expects_table_ = true;
    // MariaDB: "@name" is a variable of the session, "@@name" reads a setting.
    if (symbol == '@' && dialect_.hash_comments) {
      variables_ += last_ == Last::at ? -1 : 1;
      last_ = Last::at;
    } else {
      last_ = symbol == '.' ? Last::dot : Last::other;
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
  bool writes_ = false;
  bool unknown_call_ = false;
  bool locks_ = false;
  bool executed_comment_ = false;
};

}  // namespace

Leaves left_by(const StatementText& text, Leaves said) noexcept {
  if (said == Leaves::unsaid) said = text.hides ? Leaves::anything : Leaves::nothing;
  return std::max(text.shows, said);
}

StatementText read_statement(string_view sql, const SqlDialect& dialect) {
  Reader reader(dialect);
  db::SqlScanner scanner(sql, dialect);
  while (const auto token = scanner.next()) reader.take(*token);
  return std::move(reader).finish();
}

}  // namespace carrel::remote
