// The ledger's values as JSON text, the same for every endpoint that shows them.
//
// Ids and amounts are strings, since JSON readers round numbers beyond 2^53; amounts are minor
// units. What is absent is left out.
#pragma once

#include <span>
#include <string>

#include "ledger/posting/ledger.h"

namespace carrel::ledger::http {

[[nodiscard]] std::string to_json(const Account& account);
[[nodiscard]] std::string to_json(const Voucher& voucher);
[[nodiscard]] std::string to_json(const StatementPage& page);
[[nodiscard]] std::string to_json(Book book, std::span<const Subject> subjects);
[[nodiscard]] std::string to_json(Book book, const TrialBalance& balance);
[[nodiscard]] std::string to_json(const CheckReport& report);

}  // namespace carrel::ledger::http
