// The words that may stand right before a parenthesis without leaving anything in the session.
#pragma once

#include <string_view>

namespace carrel::remote {

// In lower case; of both servers.
[[nodiscard]] bool is_harmless_call(std::string_view word) noexcept;

}  // namespace carrel::remote
