// Error: the one root of everything Carrel throws.
//
// Use it for failures: I/O, SQL, time-outs, a missing scope. A business "no" is a returned value
// (a refusal), and a programming mistake is a CARREL_ASSERT; neither is an Error.
//
//   try {
//     session.transaction([&] { post(voucher); });
//   } catch (const carrel::Error& error) {
//     if (error.in_doubt()) return look_up_outcome(voucher.key);   // may or may not have happened
//     if (error.retryable()) return try_again_later();             // certainly did not happen
//     throw;
//   }
//
// Threads: an Error is immutable; copies may be read from several threads.
// Lifetime: owns its message; codes are string literals and live for ever.
#pragma once

#include <cstddef>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace carrel {

// A stable, machine-readable name such as "no_scope" or "sql.unique_violation". Only a string
// literal converts to it, so that a code never dangles and always can be found with grep.
class ErrorCode {
 public:
  template <std::size_t N>
  consteval ErrorCode(const char (&literal)[N]) : name_(literal, N - 1) {}

  [[nodiscard]] constexpr std::string_view name() const noexcept { return name_; }
  friend constexpr bool operator==(ErrorCode, ErrorCode) noexcept = default;

 private:
  std::string_view name_;
};

// What a caller may conclude from a failure.
struct ErrorTraits {
  bool retryable = false;  // nothing happened; the same call may succeed later
  bool in_doubt = false;   // it may have happened; only an idempotency key can tell
};

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, ErrorTraits traits = {},
        std::source_location where = std::source_location::current());

  [[nodiscard]] std::string_view code() const noexcept { return code_.name(); }
  [[nodiscard]] bool retryable() const noexcept { return traits_.retryable; }
  [[nodiscard]] bool in_doubt() const noexcept { return traits_.in_doubt; }
  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

  // "code: message (file:line)", for logs.
  [[nodiscard]] std::string describe() const;

 private:
  ErrorCode code_;
  ErrorTraits traits_;
  std::source_location where_;
};

}  // namespace carrel
