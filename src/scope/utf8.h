// Names as pages and JSON may carry them. They come from the program, in whatever encoding, and one
// that is not UTF-8 would make the whole page unreadable.
#pragma once

#include <string>
#include <string_view>

namespace carrel::scope {

// The text with U+FFFD for each byte that belongs to no well-formed sequence (Unicode 15, table
// 3-7).
[[nodiscard]] std::string well_formed(std::string_view text);

}  // namespace carrel::scope
