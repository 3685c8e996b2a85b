#include "db/sql_scanner.h"

namespace carrel::db {
namespace {

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_space(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
// Bytes of UTF-8 beyond ASCII are letters to every database here.
bool is_word_start(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) noexcept {
  return is_word_start(c) || is_digit(c) || c == '$';
}

}  // namespace

std::size_t SqlScanner::end_of_quoted(std::size_t at, char quote, bool escapes) const noexcept {
  for (++at; at < sql_.size(); ++at) {
    if (escapes && sql_[at] == '\\') {
      ++at;
    } else if (sql_[at] == quote) {
      if (peek(at + 1) != quote) return at + 1;
      ++at;  // doubled: stands for itself
    }
  }
  return sql_.size();
}

std::size_t SqlScanner::end_of_block_comment(std::size_t at) const noexcept {
  int depth = 1;
  for (at += 2; at < sql_.size(); ++at) {
    if (sql_[at] == '*' && peek(at + 1) == '/') {
      ++at;
      if (--depth == 0) return at + 1;
    } else if (dialect_.nested_comments && sql_[at] == '/' && peek(at + 1) == '*') {
      ++at;
      ++depth;
    }
  }
  return sql_.size();
}

std::size_t SqlScanner::end_of_line(std::size_t at) const noexcept {
  const auto end = sql_.find('\n', at);
  return end == std::string_view::npos ? sql_.size() : end;
}

// Or 0. $1 is a parameter, and not asked about.
std::size_t SqlScanner::end_of_dollar_quote(std::size_t at) const noexcept {
  std::size_t tag_end = at + 1;
  while (tag_end < sql_.size() && is_word(sql_[tag_end]) && sql_[tag_end] != '$') ++tag_end;
  if (peek(tag_end) != '$') return 0;
  const auto tag = sql_.substr(at, tag_end + 1 - at);
  const auto close = sql_.find(tag, tag_end + 1);
  return close == std::string_view::npos ? sql_.size() : close + tag.size();
}

std::size_t SqlScanner::end_of_word(std::size_t at) const noexcept {
  while (at < sql_.size() && is_word(sql_[at])) ++at;
  return at;
}

SqlScanner::Extent SqlScanner::extent() const noexcept {
  const char c = sql_[at_];
  const char following = peek(at_ + 1);
  if (is_space(c)) {
    std::size_t end = at_ + 1;
    while (end < sql_.size() && is_space(sql_[end])) ++end;
    return {TokenKind::space, end};
  }
  if (c == '\'') return {TokenKind::string, end_of_quoted(at_, c, dialect_.backslash_escapes)};
  if (dialect_.escape_strings && (c == 'e' || c == 'E') && following == '\'')
    return {TokenKind::string, end_of_quoted(at_ + 1, '\'', /*escapes=*/true)};
  // MariaDB takes "..." for a string, where a backslash escapes too.
  if (c == '"') return {TokenKind::quoted_name, end_of_quoted(at_, c, dialect_.backslash_escapes)};
  if (c == '`') return {TokenKind::quoted_name, end_of_quoted(at_, c, /*escapes=*/false)};
  if (c == '[' && dialect_.bracket_names) {
    const auto close = sql_.find(']', at_);
    return {TokenKind::quoted_name, close == std::string_view::npos ? sql_.size() : close + 1};
  }
  if (c == '-' && following == '-') return {TokenKind::comment, end_of_line(at_)};
  if (c == '#' && dialect_.hash_comments) return {TokenKind::comment, end_of_line(at_)};
  if (c == '/' && following == '*') return {TokenKind::comment, end_of_block_comment(at_)};
  if (c == '{') {
    const auto close = sql_.find('}', at_);
    return {TokenKind::slot, close == std::string_view::npos ? sql_.size() : close + 1};
  }
  if (c == '$' && is_digit(following)) {
    std::size_t end = at_ + 1;
    while (is_digit(peek(end))) ++end;
    return {TokenKind::parameter, end};
  }
  if (c == '$' && dialect_.dollar_quotes) {
    if (const auto end = end_of_dollar_quote(at_); end != 0) return {TokenKind::string, end};
  }
  if (is_digit(c) || (c == '.' && is_digit(following))) {
    std::size_t end = at_ + 1;
    while (is_word(peek(end)) || peek(end) == '.') ++end;
    return {TokenKind::number, end};
  }
  if (is_word_start(c)) return {TokenKind::word, end_of_word(at_)};
  return {TokenKind::symbol, at_ + 1};
}

std::optional<Token> SqlScanner::next() noexcept {
  if (at_ >= sql_.size()) return std::nullopt;
  const auto [kind, end] = extent();
  const Token token{kind, sql_.substr(at_, end - at_)};
  at_ = end;
  return token;
}

std::size_t parameter_number(std::string_view token) noexcept {
  std::size_t number = 0;
  for (const char c : token.substr(1)) {
    if (number > 99'999) break;  // far beyond what any database takes
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return number;
}

std::string shape_of(std::string_view sql, const SqlDialect& dialect) {
  constexpr std::size_t length_max = 400;
  std::string shape;
  SqlScanner scanner(sql, dialect);
  while (const auto token = scanner.next()) {
    switch (token->kind) {
      case TokenKind::string:
      case TokenKind::number:
        shape += '?';
        break;
      case TokenKind::quoted_name:
        // Double quotes hold a string on MariaDB, and on SQLite where no such column exists.
        shape += token->text.front() == '"' ? std::string_view("\"?\"") : token->text;
        break;
      case TokenKind::comment:
      case TokenKind::space:
        if (!shape.empty() && shape.back() != ' ') shape += ' ';
        break;
      default:
        shape += token->text;
    }
    if (shape.size() > length_max) {
      shape.resize(length_max);
      return shape + "...";
    }
  }
  if (!shape.empty() && shape.back() == ' ') shape.pop_back();
  return shape;
}

std::string with_shape_between(std::string message, std::string_view open, std::string_view close,
                               const SqlDialect& dialect) {
  const auto found = message.find(open);
  if (found == std::string::npos) return message;
  const auto begin = found + open.size();
  auto end = message.rfind(close);
  if (end == std::string::npos || end < begin) end = message.size();
  const auto shape = shape_of(std::string_view(message).substr(begin, end - begin), dialect);
  return message.substr(0, begin).append(shape).append(message, end);
}

}  // namespace carrel::db
