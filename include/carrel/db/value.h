// Value: one parameter of an SQL statement.
//
// Use it through Session::execute or Connection::execute, which make Values of their arguments. It
// is a view, not a store: text and bytes are borrowed.
//
//   Value amount = 1250;
//   Value memo = std::optional<std::string>();          // null
//   connection.execute("insert into t values ($1, $2)", std::array{amount, memo});
//
// What each kind becomes in a database (docs/reference/drivers.md has the whole table):
//   integer    64 bits, signed; bool is 0 or 1
//   timestamp  microseconds in UTC; SQLite keeps the integer count since 1970
//   uuid       16 bytes; SQLite keeps a blob
//
// Threads: a Value is plain data. Lifetime: what it borrows must live until the call returns.
// Errors: an unsigned integer above 2^63-1 throws "sql.value_out_of_range".
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace carrel {

using Bytes = std::vector<std::byte>;
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

struct Uuid {
  std::array<std::byte, 16> bytes{};

  // The 36-character form, lower case. parse() gives nothing where the text is no uuid.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text) noexcept;

  friend bool operator==(const Uuid&, const Uuid&) noexcept = default;
};

enum class ValueKind : std::uint8_t { null, integer, real, text, bytes, timestamp, uuid };

[[nodiscard]] std::string_view to_string(ValueKind kind) noexcept;

class Value {
 public:
  // Implicit on purpose: these conversions are what execute() is called with.
  constexpr Value() noexcept : integer_(0) {}
  constexpr Value(std::nullptr_t) noexcept : integer_(0) {}
  template <std::integral I>
  constexpr Value(I integer) : kind_(ValueKind::integer), integer_(to_int64(integer)) {}
  constexpr Value(double real) noexcept : kind_(ValueKind::real), real_(real) {}
  constexpr Value(std::string_view text) noexcept
      : kind_(ValueKind::text), view_{text.data(), text.size()} {}
  constexpr Value(const char* text) noexcept : Value(std::string_view(text)) {}
  Value(const std::string& text) noexcept : Value(std::string_view(text)) {}
  Value(std::span<const std::byte> bytes) noexcept
      : kind_(ValueKind::bytes), view_{bytes.data(), bytes.size()} {}
  Value(const Bytes& bytes) noexcept : Value(std::span(bytes)) {}
  constexpr Value(Timestamp at) noexcept
      : kind_(ValueKind::timestamp), integer_(at.time_since_epoch().count()) {}
  constexpr Value(const Uuid& uuid) noexcept : kind_(ValueKind::uuid), uuid_(uuid) {}
  template <class T>
  Value(const std::optional<T>& value) : Value() {
    if (value) *this = Value(*value);
  }
  Value(char) = delete;  // a character is neither text nor a number by itself

  [[nodiscard]] constexpr ValueKind kind() const noexcept { return kind_; }
  [[nodiscard]] constexpr bool is_null() const noexcept { return kind_ == ValueKind::null; }

  // Each is meaningful for its own kind only; asking another kind is a programming mistake.
  [[nodiscard]] constexpr std::int64_t integer() const noexcept { return integer_; }
  [[nodiscard]] constexpr double real() const noexcept { return real_; }
  [[nodiscard]] std::string_view text() const noexcept {
    return {static_cast<const char*>(view_.data), view_.size};
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(view_.data), view_.size};
  }
  [[nodiscard]] constexpr Timestamp timestamp() const noexcept {
    return Timestamp(std::chrono::microseconds(integer_));
  }
  [[nodiscard]] constexpr const Uuid& uuid() const noexcept { return uuid_; }

 private:
  struct View {
    const void* data;
    std::size_t size;
  };

  template <std::integral I>
  static constexpr std::int64_t to_int64(I integer) {
    if constexpr (std::unsigned_integral<I> && sizeof(I) >= sizeof(std::int64_t)) {
      if (integer > static_cast<I>(INT64_MAX)) throw_out_of_range();
    }
    return static_cast<std::int64_t>(integer);
  }
  [[noreturn]] static void throw_out_of_range();

  ValueKind kind_ = ValueKind::null;
  union {
    std::int64_t integer_;
    double real_;
    View view_;
    Uuid uuid_;
  };
};

}  // namespace carrel
