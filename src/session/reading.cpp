#include "session/reading.h"

#include <algorithm>
#include <array>

#include "db/sql_scanner.h"

namespace carrel::session {
namespace {

using std::string_view;

// What a statement that only reads may begin with. PRAGMA is not among them: most of them change
// something.
constexpr auto kReading = std::to_array<string_view>(
    {"desc", "describe", "explain", "select", "show", "table", "values", "with"});

// Also where they stand further back: "with ... delete", "select ... into", "select ... for
// update", "explain analyze insert".
constexpr auto kWriting =
    std::to_array<string_view>({"delete", "insert", "into", "merge", "update"});

bool is_word(string_view token, string_view lower_case) noexcept {
  return std::ranges::equal(token, lower_case, [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
  });
}

}  // namespace

bool only_reads(string_view sql, const SqlDialect& dialect) {
  db::SqlScanner scanner(sql, dialect);
  bool begun = false;
  bool writes = false;
  while (const auto token = scanner.next()) {
    if (token->kind == db::TokenKind::space || token->kind == db::TokenKind::comment) continue;
    const auto is_among = [&](const auto& words) {
      return token->kind == db::TokenKind::word &&
             std::ranges::any_of(words, [&](auto word) { return is_word(token->text, word); });
    };
    if (!begun) {
      if (token->text == "(") continue;  // "(select ...) union (select ...)"
      if (!is_among(kReading)) return false;
      begun = true;
      continue;
    }
    // MariaDB's insert(text, at, length, other) is a function.
    if (writes && token->text != "(") return false;
    writes = is_among(kWriting);
  }
  return begun && !writes;
}

}  // namespace carrel::session
