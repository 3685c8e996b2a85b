// Bind: the guard that ThreadLocal::bind returns. Restores the variable when it goes.
//
//   const auto as_admin = tenant.bind("admin");   // until the end of the block
//
// Threads: ends on the thread that made it. Guards of one variable end in reverse order; anything
// else stops the program. A guard that outlives its variable restores nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "carrel/local/internal/values.h"

namespace carrel {
namespace local {

// The type-free half: the thread's list of guards that are open.
class BindChain {
 public:
  BindChain(const BindChain&) = delete;
  BindChain& operator=(const BindChain&) = delete;

 protected:
  explicit BindChain(const Target& target) noexcept;
  ~BindChain();

  // Whether the variable still lives.
  [[nodiscard]] bool variable_lives() const noexcept;
  // Keeps what the audit knows of the value that is about to be replaced ...
  void remember(void* value) noexcept;
  // ... says that it has been replaced ...
  void replaced(void* value) noexcept;
  // ... and says it again of the value that has just been restored.
  void restore_record(void* value, bool same_cell) noexcept;

  Key key_;
  Slot* slot_;
  const VariableInfo* info_;

 private:
  ThreadBlock* owner_;
  BindChain* outer_;
  std::uint64_t stamp_ = 0;
  std::uint64_t replaced_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace local

template <class T>
class [[nodiscard]] Bind : private local::BindChain {
 public:
  template <class U>
  Bind(const local::Target& target, U&& value) : BindChain(target) {
    T* const present = local::Values<T>::find(target.key);
    if (present == nullptr) {
      local::Values<T>::create(target, [&]() -> T { return T(std::forward<U>(value)); });
      return;
    }
    T fresh(std::forward<U>(value));
    previous_.emplace(std::move(*present));
    remember(present);
    if constexpr (std::is_nothrow_move_assignable_v<T>) {
      *present = std::move(fresh);
    } else {
      try {
        *present = std::move(fresh);
      } catch (...) {
        *present = std::move(*previous_);  // a second failure terminates: there is no way back
        throw;
      }
    }
    local::Values<T>::note_change(*present);
    replaced(present);
  }

  ~Bind() {
    if (!variable_lives()) return;
    const local::Target target{key_, *slot_, *info_};
    if (!previous_) {
      local::remove_value(key_, *slot_, *info_);
      return;
    }
    T* present = local::Values<T>::find(key_);
    const bool same_cell = present != nullptr;
    std::optional<T> bound;  // dies last: its destructor may use this very variable
    if (same_cell) {
      bound.emplace(std::move(*present));
      *present = std::move(*previous_);
      local::Values<T>::note_change(*present);
    } else {
      present = &local::Values<T>::create(target, [this]() -> T { return std::move(*previous_); });
    }
    restore_record(present, same_cell);
  }

 private:
  std::optional<T> previous_;
};

}  // namespace carrel
