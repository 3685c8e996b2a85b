// Cursor: where the next page of a statement begins, in a form that callers need not understand.
//
// Threads: pure. Errors: decode gives nothing for a text that encode did not make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carrel::ledger {

[[nodiscard]] std::string encode_cursor(std::int64_t entry_id);
[[nodiscard]] std::optional<std::int64_t> decode_cursor(std::string_view cursor) noexcept;

}  // namespace carrel::ledger
