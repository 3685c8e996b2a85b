// What an exception says, of whatever type it is.
#pragma once

#include <exception>

namespace carrel::scope {

// Of the exception that the caller's handler is handling; valid until that handler ends. Allocates
// nothing: what is being handled may be that there is no memory.
[[nodiscard]] const char* text_of_current_exception() noexcept;

}  // namespace carrel::scope
