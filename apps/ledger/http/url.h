// Target: the path and query of a request, split and percent-decoded.
//
//   std::optional<Target> target = parse_target("/v1/accounts/alice%2F2001/entries?limit=5");
//   target->segments == {"v1", "accounts", "alice/2001", "entries"};
//   target->query_value("limit") == "5";
//
// Errors: nothing for what is no origin-form target ("*", "http://..."), for a broken percent
// sequence, and for a decoded control character.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carrel::ledger::http {

struct Target {
  std::vector<std::string> segments;                       // between the slashes, decoded
  std::vector<std::pair<std::string, std::string>> query;  // in order, decoded

  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
};

[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

}  // namespace carrel::ledger::http
