// Times on the wire: RFC 3339, "2026-01-31T12:00:00.5Z"; written in UTC, read with any offset.
//
//   parse_rfc3339("2026-01-31T20:00:00+08:00") == parse_rfc3339("2026-01-31T12:00:00Z");
//   to_rfc3339(timestamp) == "2026-01-31T12:00:00.000000Z";
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ledger/domain/voucher.h"

namespace carrel::ledger::http {

// Nothing for what is no such time: a missing offset, February 30th, a leap second, more than six
// digits of a second (microseconds are what is stored).
[[nodiscard]] std::optional<Timestamp> parse_rfc3339(std::string_view text);
[[nodiscard]] std::string to_rfc3339(Timestamp time);

// "2026-01-31" of 20260131.
[[nodiscard]] std::string to_iso_date(std::int32_t accounting_date);

}  // namespace carrel::ledger::http
