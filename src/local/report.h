// Says, in one line, what Carrel cannot throw. See set_reporter() in inspect.h.
#pragma once

#include <string_view>

namespace carrel::local {

void report(std::string_view what, std::string_view variable) noexcept;

}  // namespace carrel::local
