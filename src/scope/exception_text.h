// What an exception of any type has to say, for lines about failures that nobody else can take.
#pragma once

#include <exception>
#include <string>

namespace carrel::scope {

[[nodiscard]] std::string text_of(const std::exception_ptr& failure);

}  // namespace carrel::scope
