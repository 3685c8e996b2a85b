// ThreadLocalOperations: what ThreadLocal and StaticThreadLocal have in common, which is all but
// how they begin and end. See thread_local.h.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "carrel/local/concurrent.h"
#include "carrel/local/internal/bind.h"
#include "carrel/local/internal/values.h"
#include "carrel/local/options.h"

namespace carrel {

// Whether every thread's value is an object of its own, or is said to be borrowed: what ThreadLocal
// asks of the type that it is declared with.
template <class Declared>
concept OwnOrBorrowed =
    local::Stored<Declared>::is_borrowed ||
    !local::refers_to_another<std::remove_const_t<typename local::Stored<Declared>::type>>;

// `Variable` has key() and target(), and is_registered(), which says whether any thread may have
// a value yet.
template <class Variable, class Declared>
class ThreadLocalOperations {
 public:
  using value_type = typename local::Stored<Declared>::type;

 protected:
  using T = value_type;
  using Plain = std::remove_const_t<T>;
  using Values = local::Values<T>;
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_volatile_v<T>,
                "the value is an object: no reference, no array, not volatile");
  static_assert(std::is_nothrow_destructible_v<T>, "a destructor must not throw");
  static_assert(OwnOrBorrowed<Declared>,
                "all threads could get one object by mistake: write ThreadLocal<borrowed<T>>");

  constexpr ThreadLocalOperations() noexcept = default;

 public:
  ThreadLocalOperations(const ThreadLocalOperations&) = delete;
  ThreadLocalOperations& operator=(const ThreadLocalOperations&) = delete;

  // This thread's value, or nullptr; never makes one.
  [[nodiscard]] T* peek() const noexcept {
    T* const value = Values::find(self().key());
    if (value == nullptr) [[unlikely]]
      local::end_unowned_values();
    return value;
  }

  // Assigns to this thread's value, or makes it. References to it stay valid, but for a T that can
  // only be moved or is const: there a new object takes the old one's place.
  template <class U = Plain>
    requires std::constructible_from<Plain, U>
  T& set(U&& value) const {
    if constexpr (local::is_word<Plain>) {
      return set_word(Plain(std::forward<U>(value)));  // by value: it may stay in a register
    } else {
      if (T* const present = Values::find(self().key())) [[likely]]
        return replace(*present, std::forward<U>(value));
      return local::on_the_slow_path(this)->set_first(std::forward<U>(value));
    }
  }

  // Destroys this thread's value. False if there is none.
  bool remove() const noexcept {
    if (!self().is_registered()) return false;
    const local::Target target = self().target();
    return local::remove_value(target.key, target.slot, target.info);
  }

  // Moves this thread's value out, and leaves none.
  [[nodiscard]] std::optional<Plain> take() const
    requires(std::move_constructible<Plain> && !std::is_const_v<T>)
  {
    return self().is_registered() ? Values::take(self().target()) : std::nullopt;
  }

  // Sets the value until the guard goes; then there is again what was before, or nothing.
  template <class U = Plain>
    requires(std::constructible_from<Plain, U> && std::movable<T>)
  [[nodiscard]] Bind<T> bind(U&& value) const {
    return Bind<T>(self().target(), std::forward<U>(value));
  }

  // Calls `visit` with the value of every thread that has one, this thread's included. No lock is
  // held meanwhile, so `visit` may do anything but destroy the variable; what it throws comes out
  // here. Values that come or go meanwhile may be missed; one that its owner removes while it is
  // visited is destroyed after the visit, by the visitor. O(threads that hold a value).
  template <class F>
    requires(is_concurrent<Plain> && std::invocable<F&, T&>)
  void for_each_thread(F&& visit) const {
    if (!self().is_registered()) return;
    const local::Target target = self().target();
    local::visit_values(
        target.slot, target.key,
        [](void* context, void* value) {
          (*static_cast<std::remove_reference_t<F>*>(context))(*static_cast<T*>(value));
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(visit))));
  }

  // Says what this thread's value occupies, for inspection. No effect without a value.
  void publish_bytes(std::size_t bytes) const noexcept {
    if (T* const value = peek()) {
      // Relaxed: a figure on its own.
      local::Cell::of(const_cast<Plain*>(value)).bytes.store(bytes, std::memory_order_relaxed);
    }
  }

  // O(threads that hold a value); stops nobody.
  [[nodiscard]] VariableStatistics statistics() const noexcept {
    return self().is_registered() ? local::statistics_of(self().target().slot)
                                  : VariableStatistics{};
  }

 private:
  template <class U>
  [[gnu::noinline]] T& set_first(U&& value) const {
    return Values::create(self().target(),
                          [&]() -> Plain { return Plain(std::forward<U>(value)); });
  }

  T& set_word(Plain value) const {
    if (T* const present = Values::find(self().key())) [[likely]]
      return replace(*present, value);
    return local::on_the_slow_path(this)->set_first_word(value);
  }
  [[gnu::noinline]] T& set_first_word(Plain value) const {
    return Values::create(self().target(), [value]() -> Plain { return value; });
  }

  template <class U>
  T& replace(T& present, U&& value) const {
    Values::replace(self().key(), present, std::forward<U>(value));
    return present;
  }

  [[nodiscard]] const Variable& self() const noexcept {
    return static_cast<const Variable&>(*this);
  }
};

}  // namespace carrel
