// Outcome<T>: what the domain answers: a T, or a Refusal that says why not.
//
// Use it where "no" is a normal answer of the business. A failure (I/O, SQL, time-out) is thrown
// as carrel::Error, never returned as a Refusal. A closure that returns a refused Outcome makes
// Session roll its transaction back (rolls_back below, found by argument-dependent lookup).
//
//   const Outcome<PostedVoucher> outcome = ledger.post_voucher(request);
//   if (!outcome.accepted()) return problem(outcome.refusal());
//   return created(outcome.value());
//
// Threads: plain values.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "carrel/base/assert.h"

namespace carrel::ledger {

// Whose move it is after a refusal.
enum class RefusalKind {
  malformed,  // the request can never be accepted as it is: mend it
  not_found,  // it names something that this book does not have
  conflict,   // its idempotency key belongs to a different request
  business,   // well formed, and the book's state or rules say no; may be retried later
};

struct Refusal {
  RefusalKind kind = RefusalKind::business;
  std::string rule = {};     // "consumer.payment_cap"; empty where no rule of a chain was asked
  std::string code = {};     // stable and machine-readable: "insufficient_funds"
  std::string message = {};  // for a person; names the accounts and figures involved

  friend bool operator==(const Refusal&, const Refusal&) = default;
};

[[nodiscard]] inline Refusal malformed(std::string code, std::string message) {
  return {RefusalKind::malformed, {}, std::move(code), std::move(message)};
}
[[nodiscard]] inline Refusal not_found(std::string code, std::string message) {
  return {RefusalKind::not_found, {}, std::move(code), std::move(message)};
}
[[nodiscard]] inline Refusal conflict(std::string code, std::string message) {
  return {RefusalKind::conflict, {}, std::move(code), std::move(message)};
}
[[nodiscard]] inline Refusal refused(std::string code, std::string message) {
  return {RefusalKind::business, {}, std::move(code), std::move(message)};
}

template <class T>
class [[nodiscard]] Outcome {
 public:
  // Implicit on purpose, so that a function returns either as it is.
  Outcome(T value) : state_(std::move(value)) {}
  Outcome(Refusal refusal) : state_(std::move(refusal)) {}

  [[nodiscard]] bool accepted() const noexcept { return std::holds_alternative<T>(state_); }

  // The answer; only if accepted().
  [[nodiscard]] const T& value() const& {
    CARREL_ASSERT(accepted(), "value() of a refused outcome: " + refusal().code);
    return std::get<T>(state_);
  }
  [[nodiscard]] T&& value() && {
    CARREL_ASSERT(accepted(), "value() of a refused outcome: " + refusal().code);
    return std::get<T>(std::move(state_));
  }
  [[nodiscard]] const T* operator->() const { return &value(); }

  // Why not; only if not accepted().
  [[nodiscard]] const Refusal& refusal() const {
    CARREL_ASSERT(!accepted(), "refusal() of an accepted outcome");
    return std::get<Refusal>(state_);
  }

 private:
  std::variant<T, Refusal> state_;
};

// Session's question to what a transaction's closure returned: a refusal changes nothing.
template <class T>
[[nodiscard]] bool rolls_back(const Outcome<T>& outcome) noexcept {
  return !outcome.accepted();
}

}  // namespace carrel::ledger
