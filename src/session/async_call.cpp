#include "carrel/session/internal/async_call.h"

#include <array>
#include <cstddef>
#include <new>

#include "carrel/base/error.h"
#include "carrel/db/sql_error.h"

namespace carrel::session {

std::shared_ptr<Scope> carried_scope() {
  auto* const current = Scope::current();
  auto root = current == nullptr ? nullptr : scope::Access::root(*current);
  if (!root) {
    throw Error(
        "no_scope",
        "async_transaction needs a scope that goes from thread to thread: run the coroutine "
        "on a scope_executor");
  }
  return root;
}

void leave_carried_scope() noexcept {
  // Never destroyed, that is never undone: what it would come back to may be gone by then.
  using Outside = scope::OutsideAnyScope;
  alignas(Outside) std::array<std::byte, sizeof(Outside)> place;
  ::new (place.data()) Outside;
}

std::exception_ptr cancelled_before_begin() {
  return std::make_exception_ptr(
      SqlError("sql.cancelled", {.message = "cancelled before the transaction had begun"}));
}

std::exception_ptr discarded_before_begin() {
  return std::make_exception_ptr(Error(
      "pool.discarded", "the workers ended before the transaction had begun", {.retryable = true}));
}

}  // namespace carrel::session
