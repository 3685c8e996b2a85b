// Parameters: the values of one statement in the form libpq takes them.
//
// Numbers, bytes, timestamps and uuids go as typed binary. Text goes untyped, so that the server
// takes it for what the place asks for (a date, an enum, jsonb), and for text elsewhere. So do
// nulls. Arrays go as typed binary, also those of text.
#pragma once

#include <libpq-fe.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/value.h"

namespace carrel::postgres {

class Parameters {
 public:
  // Throws "sql.value_out_of_range" for a time that PostgreSQL cannot hold, "sql.too_big" for more
  // than it takes at once; for an array also "sql.invalid_text", "sql.type_mismatch" (elements of
  // another kind than it says), "sql.unsupported" (arrays of arrays).
  static void require_fit(std::span<const Value> values, std::string_view sql);

  // What it gives stays good until the next encode(), and as long as the values' own bytes. False
  // for what does not fit; require_fit() says why. An array must have been found to fit.
  [[nodiscard]] bool encode(std::span<const Value> values);

  [[nodiscard]] int count() const noexcept { return count_; }
  [[nodiscard]] const Oid* types() const noexcept { return types_.data(); }
  [[nodiscard]] const char* const* values() const noexcept { return pointers_.data(); }
  [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
  [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

 private:
  // What is sent in binary and has a fixed size: at most a uuid.
  struct Fixed {
    std::array<char, 16> bytes;
  };
  void grow(std::size_t count);
  void put_texts(std::span<const Value> values, std::size_t bytes);
  void put_array(std::size_t place, const Array& array);

  int count_ = 0;
  // All of one length, which only grows: statements of two and of five parameters take turns.
  std::vector<Oid> types_;
  std::vector<const char*> pointers_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<Fixed> fixed_;
  std::string texts_;
  std::vector<std::string> arrays_;  // by place, none before the first
};

// Microseconds of PostgreSQL's calendar, which begins with 2000.
inline constexpr std::int64_t kEpochMicros = 946'684'800'000'000;
inline std::uint64_t micros_of(Timestamp at) noexcept {
  return static_cast<std::uint64_t>(at.time_since_epoch().count() - kEpochMicros);
}
// The very least number means -infinity.
inline bool fits(Timestamp at) noexcept {
  return at.time_since_epoch().count() > INT64_MIN + kEpochMicros;
}

// All values of one statement travel in one message, which the server takes up to this size
// (PQ_LARGE_MESSAGE_LIMIT in src/include/libpq/libpq.h: 0x3fffffff - 1, beyond which it closes the
// connection), less room for what goes along with them: a few bytes a value, of 65,535 at most.
inline constexpr std::size_t kBytesMax = (std::size_t{1} << 30) - (std::size_t{1} << 20);

}  // namespace carrel::postgres
