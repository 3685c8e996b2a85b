// CARREL_ASSERT: stops the program at a programming mistake, in release builds too.
//
// Use it for what can only be false if code is wrong. Bad input is not a bug: throw a carrel::Error
// or return a refusal for that.
//
//   CARREL_ASSERT(borrowed_ == 0, "pool '" + name_ + "' destroyed with connections on loan");
//
// The message is evaluated only when the condition is false, so it may be expensive.
// Threads: safe from any. Errors: never returns when the condition is false (std::abort).
#pragma once

#include <source_location>
#include <string_view>

namespace carrel::base {

[[noreturn]] void assertion_failed(std::string_view condition, std::string_view message,
                                   const std::source_location& where) noexcept;

}  // namespace carrel::base

// A macro because the condition's text and the call's place are part of the report.
#define CARREL_ASSERT(condition, message)                                                       \
  do {                                                                                          \
    if (!(condition)) [[unlikely]]                                                              \
      ::carrel::base::assertion_failed(#condition, message, ::std::source_location::current()); \
  } while (false)
