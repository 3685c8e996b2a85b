// Operation: one line of an operations file, checked, and the HTTP request it stands for.
//
// The format is documented in docs/reference/operations-file.md. Parsing is strict: an unknown
// field is an error, because a misspelt one would otherwise be left out silently.
//
//   auto parsed = parse_operation(R"({"op":"open","book":"consumer","account":"c1/2001",...})", 1);
//   if (auto* operation = std::get_if<Operation>(&parsed)) send(target_of(*operation), ...);
//
// Threads: plain values. Errors: a bad line is a returned Malformed, never an exception.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::client {

enum class Kind { open, credit, pay, refund };
inline constexpr Kind kKinds[] = {Kind::open, Kind::credit, Kind::pay, Kind::refund};

enum class Book { consumer, merchant };
inline constexpr Book kBooks[] = {Book::consumer, Book::merchant};

[[nodiscard]] std::string_view name_of(Kind kind) noexcept;
[[nodiscard]] std::string_view name_of(Book book) noexcept;

struct Operation {
  std::uint64_t line = 0;  // in the file, from 1
  Kind kind = Kind::open;
  Book book = Book::consumer;
  std::string account;             // open: "party/subject"
  std::string currency;            // ISO 4217
  std::string key;                 // the rest, down to after: idempotency key
  std::string from;                // the account that pays; a credit's is the house by default
  std::string to;                  // the account that receives
  std::string amount;              // minor units, decimal digits
  std::string original;            // refund: the key of the payment
  std::string memo;                // free text, may be empty
  std::string event_time;          // RFC 3339, may be empty
  std::vector<std::string> after;  // keys of operations that must have been answered before
};

struct Malformed {
  std::uint64_t line = 0;
  std::string reason;
};

[[nodiscard]] std::variant<Operation, Malformed> parse_operation(std::string_view text,
                                                                 std::uint64_t line);

// "/v1/accounts" or "/v1/vouchers"; always a POST.
[[nodiscard]] std::string_view target_of(const Operation& operation) noexcept;

// The JSON body. The same operation always gives the same bytes, so that a repeat is a replay.
[[nodiscard]] std::string body_of(const Operation& operation);

}  // namespace carrel::client
