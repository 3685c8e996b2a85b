// The words that may stand right before a parenthesis without leaving anything in the session.
#pragma once

#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::remote {

// In lower case; of both servers.
[[nodiscard]] bool is_harmless_call(std::string_view word) noexcept;
// Functions of this server that leave a lock of the session behind, or give one back.
[[nodiscard]] bool is_locking_call(std::string_view word, const SqlDialect& dialect) noexcept;

}  // namespace carrel::remote
