#include "drivers/sqlite_text.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "db/sql_scanner.h"
#include "drivers/sqlite_error.h"

namespace carrel::drivers {
namespace {

// A thousand names cost a few milliseconds, however often each is used.
constexpr std::size_t kSharedMax = 1'000;

struct Parameter {
  std::size_t uses = 0;
  int place = 0;  // SQLite's number of it, where all uses share one
};
using Parameters = std::unordered_map<std::size_t, Parameter>;

Parameters parameters_of(std::string_view sql) {
  Parameters found;
  db::SqlScanner scanner(sql, kSqliteDialect);
  while (const auto token = scanner.next()) {
    if (token->kind == db::TokenKind::parameter) ++found[db::parameter_number(token->text)].uses;
  }
  return found;
}

class Writer {
 public:
  explicit Writer(std::string_view sql) : parameters_(parameters_of(sql)) {
    text_.sql.reserve(sql.size());
  }

  void add(const db::Token& token) {
    const bool behind_parameter = std::exchange(behind_parameter_, false);
    if (token.kind == db::TokenKind::parameter) return add_parameter(token.text);
    // SQLite has more ways: ?, ?1, :a, @a, $a, and `$1st` as a name.
    constexpr std::string_view marks = "?:@#$";
    text_.strange |=
        token.kind == db::TokenKind::symbol && marks.find(token.text.front()) != marks.npos;
    text_.strange |= behind_parameter && token.kind == db::TokenKind::word;
    text_.sql += token.text;
  }
  [[nodiscard]] SqliteText take() { return std::move(text_); }

 private:
  void add_parameter(std::string_view token) {
    const auto number = db::parameter_number(token);
    text_.strange |= number == 0;
    behind_parameter_ = true;
    text_.sql += '?';
    auto& place = parameters_[number].place;
    if (place == 0) {
      text_.parameters.push_back(static_cast<int>(number));
      text_.parameters_max = std::max(text_.parameters_max, number);
      if (parameters_[number].uses == 1 || shared_ == kSharedMax) return;
      ++shared_;
      place = static_cast<int>(text_.parameters.size());
    }
    text_.sql += std::to_string(place);
  }

  Parameters parameters_;
  SqliteText text_;
  std::size_t shared_ = 0;
  bool behind_parameter_ = false;
};

}  // namespace

SqliteText text_for_sqlite(std::string_view sql) {
  Writer writer(sql);
  db::SqlScanner scanner(sql, kSqliteDialect);
  while (const auto token = scanner.next()) writer.add(*token);
  return writer.take();
}

}  // namespace carrel::drivers
