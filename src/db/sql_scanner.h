// SqlScanner: walks through SQL text, telling what may be looked into (words, slots, parameters)
// from what may not (strings, comments, quoted names). It is no parser: it knows where things end,
// not what they mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::db {

enum class TokenKind : std::uint8_t {
  word,         // a keyword or a bare name
  number,       // 12, 1.5e3, 0xff
  string,       // '...', E'...', $tag$...$tag$
  quoted_name,  // "...", `...`, [...]
  comment,      // -- ..., /* ... */, # ...
  parameter,    // $1
  slot,         // {account}
  space,
  symbol  // one character of anything else
};

struct Token {
  TokenKind kind;
  std::string_view text;
};

class SqlScanner {
 public:
  SqlScanner(std::string_view sql, const SqlDialect& dialect) noexcept
      : sql_(sql), dialect_(dialect) {}

  // The next token, or nothing at the end. What is opened and never closed reaches to the end.
  [[nodiscard]] std::optional<Token> next() noexcept;

 private:
  [[nodiscard]] std::size_t end_of_quoted(std::size_t at, char quote, bool escapes) const noexcept;
  [[nodiscard]] std::size_t end_of_block_comment(std::size_t at) const noexcept;
  [[nodiscard]] std::size_t end_of_line(std::size_t at) const noexcept;
  // 0 where no dollar quote begins at `at`.
  [[nodiscard]] std::size_t end_of_dollar_quote(std::size_t at) const noexcept;
  [[nodiscard]] std::size_t end_of_word(std::size_t at) const noexcept;
  [[nodiscard]] char peek(std::size_t at) const noexcept {
    return at < sql_.size() ? sql_[at] : '\0';
  }
  struct Extent {
    TokenKind kind;
    std::size_t end;
  };
  [[nodiscard]] Extent extent() const noexcept;

  std::string_view sql_;
  SqlDialect dialect_;
  std::size_t at_ = 0;
};

// The number in "$12".
[[nodiscard]] std::size_t parameter_number(std::string_view token) noexcept;

// The text with every literal replaced by `?`, comments dropped and spaces joined, at most 400
// characters: safe for logs.
[[nodiscard]] std::string shape_of(std::string_view sql, const SqlDialect& dialect);

// A server's words, of which the part from behind `open` to the last `close`, or to the end, quotes
// the statement: with that part's shape in its place.
[[nodiscard]] std::string with_shape_between(std::string message, std::string_view open,
                                             std::string_view close, const SqlDialect& dialect);

}  // namespace carrel::db
