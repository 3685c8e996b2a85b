// Well-formed UTF-8 (Unicode 15, table 3-7): told, and made.
//
// Threads: any. Errors: well_formed() std::bad_alloc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace carrel::base {

// Length of the well-formed sequence at the front of `text`, which is not empty; 0 if there is
// none.
[[nodiscard]] std::size_t utf8_sequence_length(std::string_view text) noexcept;

// The text with U+FFFD for each byte that belongs to no well-formed sequence: names come from the
// program, in whatever encoding, and one that is not UTF-8 would make a whole page unreadable.
[[nodiscard]] std::string well_formed(std::string_view text);

}  // namespace carrel::base
