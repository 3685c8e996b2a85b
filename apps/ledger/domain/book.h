// Book: which of the two ledgers a row, a rule or a request belongs to.
//
// Its number is the tag in the low byte of every id of that book (IdSource), so that an id names
// its book by itself and a row of the wrong book can be refused by the table.
//
//   const std::int64_t id = ids.next(tag_of(Book::consumer));
//   book_of(id) == Book::consumer;
//
// Threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace carrel::ledger {

enum class Book : std::uint8_t {
  consumer = 1,  // to-C
  merchant = 2,  // to-B
};

inline constexpr std::array kBooks{Book::consumer, Book::merchant};

[[nodiscard]] constexpr std::string_view to_string(Book book) noexcept {
  return book == Book::consumer ? "consumer" : "merchant";
}

// The exact lower-case name, else nothing: there is no default book.
[[nodiscard]] constexpr std::optional<Book> parse_book(std::string_view name) noexcept {
  for (const Book book : kBooks)
    if (to_string(book) == name) return book;
  return std::nullopt;
}

[[nodiscard]] constexpr std::uint8_t tag_of(Book book) noexcept {
  return static_cast<std::uint8_t>(book);
}

// The book that an id belongs to; nothing if its tag is of no book.
[[nodiscard]] constexpr std::optional<Book> book_of(std::int64_t id) noexcept {
  for (const Book book : kBooks)
    if (id > 0 && (id & 0xff) == tag_of(book)) return book;
  return std::nullopt;
}

}  // namespace carrel::ledger
