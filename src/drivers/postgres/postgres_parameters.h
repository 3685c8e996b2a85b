// Parameters: the values of one statement in the form libpq takes them.
//
// Numbers, bytes, timestamps and uuids go as typed binary. Text goes untyped, so that the server
// takes it for what the place asks for (a date, an enum, jsonb), and for text elsewhere. So do
// nulls.
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
  // Throws "sql.value_out_of_range" for a time that PostgreSQL cannot hold.
  static void require_fits(const Value& value);

  // What it gives stays good until the next encode(), and as long as the values' own bytes. Throws
  // as require_fits().
  void encode(std::span<const Value> values);

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

  int count_ = 0;
  // All of one length, which only grows: statements of two and of five parameters take turns.
  std::vector<Oid> types_;
  std::vector<const char*> pointers_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<Fixed> fixed_;
  std::string texts_;
};

// Microseconds of PostgreSQL's calendar, which begins with 2000.
inline constexpr std::int64_t kEpochMicros = 946'684'800'000'000;

}  // namespace carrel::postgres
