// Timestamps as databases write them: "2026-01-31 23:59:59.123456", also with 'T', a shorter
// fraction, and an offset such as "+00", "+01:30" or "Z".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "carrel/db/value.h"

namespace carrel::db {

[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text) noexcept;

// Throws "sql.value_out_of_range" outside the years 0 to 9999. Further off, <chrono> would tell
// another year, without a word: it keeps 16 bits of it.
void require_four_digit_year(Timestamp at);

// Always 26 characters, in UTC, without an offset. For years of four digits.
[[nodiscard]] std::string format_timestamp(Timestamp at);

}  // namespace carrel::db
