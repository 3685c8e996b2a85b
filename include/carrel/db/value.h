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
//   array      PostgreSQL only: many values of one kind as one parameter, for `= any($1)` and
//              `unnest($1)`; see Array
//
// Threads: a Value is plain data. Lifetime: what it borrows must live until the call returns.
// Errors: an unsigned integer above 2^63-1 throws "sql.value_out_of_range".
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

enum class ValueKind : std::uint8_t { null, integer, real, text, bytes, timestamp, uuid, array };

[[nodiscard]] std::string_view to_string(ValueKind kind) noexcept;

class Array;

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
  Value(const Array& array) noexcept : kind_(ValueKind::array), view_{&array, 1} {}
  Value(const Array&&) = delete;  // a Value holds its address
  Value(char) = delete;           // a character is neither text nor a number by itself

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
  [[nodiscard]] const Array& array() const noexcept {
    return *static_cast<const Array*>(view_.data);
  }

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

// What an Array may be made of: whatever makes a Value, but pointers and arrays.
template <class T>
concept ArrayElement = std::constructible_from<Value, const T&> && std::default_initializable<T> &&
                       !std::is_pointer_v<T> && !std::same_as<T, Value>;

// Array: many values of one kind as one parameter. Use it to change or to find many rows with one
// statement; to insert thousands and no more than that, Session::load is faster.
//
//   session.execute("select id, balance from {account} where id = any($1)", Array(ids));
//   session.execute("insert into {account} (id, name) select * from unnest($1, $2) "
//                   "on conflict (id) do update set name = excluded.name",
//                   Array(ids), Array(names));
//
// Nulls are elements of std::optional. An empty array is one, and no null. Its type is that of the
// elements: bigint[], double precision[], text[] (cast it for others: $1::date[]), bytea[],
// timestamptz[], uuid[]. unnest() fills shorter arrays up with nulls.
//
// Threads: plain data. Lifetime: a view of the elements, and a Value is one of the Array: both must
// live until the call returns. Written as an argument, as above, the Array does. A Batch copies the
// elements.
// Errors: where the database takes none, "sql.unsupported". All before anything is sent:
// "sql.invalid_text", "sql.value_out_of_range", "sql.type_mismatch" for elements of another kind
// than it says, "sql.too_big" for more than 134,217,727 elements, or for the values of a statement
// that are near a gigabyte together.
class Array {
 public:
  // Of a std::vector, std::array, std::span or the like.
  template <class Range,
            class T = typename decltype(std::span(std::declval<const Range&>()))::value_type>
    requires ArrayElement<T>
  explicit Array(const Range& elements)
      : data_(std::data(elements)),
        size_(std::size(elements)),
        at_(&element_at<T>),
        kind_(kind_of(std::type_identity<T>())) {}
  // Of values that are each of this kind, or null.
  Array(std::span<const Value> elements, ValueKind kind) noexcept
      : data_(elements.data()), size_(elements.size()), at_(&element_at<Value>), kind_(kind) {}

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  // Of the elements, also where there are none.
  [[nodiscard]] ValueKind kind() const noexcept { return kind_; }
  // Throws as Value does.
  [[nodiscard]] Value operator[](std::size_t i) const { return at_(data_, i); }

 private:
  template <class T>
  static Value element_at(const void* data, std::size_t i) {
    return Value(static_cast<const T*>(data)[i]);
  }
  template <class T>
  static ValueKind kind_of(std::type_identity<T>) {
    return Value(T{}).kind();
  }
  template <class T>
  static ValueKind kind_of(std::type_identity<std::optional<T>>) {
    return kind_of(std::type_identity<T>());
  }

  const void* data_;
  std::size_t size_;
  Value (*at_)(const void*, std::size_t);
  ValueKind kind_;
};

}  // namespace carrel
