// Whether a text may be sent to every database: well-formed UTF-8 (Unicode 15, table 3-7) without
// a NUL.
#pragma once

#include <string_view>

namespace carrel::db {

[[nodiscard]] bool is_valid_text(std::string_view text) noexcept;

}  // namespace carrel::db
