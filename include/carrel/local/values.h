// Values<T>: the operations of a variable on this thread's map, in terms of T. Internal to the
// local layer: ThreadLocal and StaticThreadLocal are thin fronts of it.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "carrel/local/variable.h"

namespace carrel::local {

// Where a variable's values are, and how they are made. Copied by value: destructors of values may
// destroy the variable itself while an operation runs.
struct Target {
  Place place;
  Slot& slot;
  const VariableInfo& info;
};

template <class T>
class Values {
  using Plain = std::remove_const_t<T>;

 public:
  [[nodiscard]] static T* find(const Place& place) noexcept {
    return static_cast<T*>(thread_block.map.find(place));
  }

  // Makes the value that is not there yet from what `make` returns.
  template <class Make>
  static T& create(const Target& target, Make&& make) {
    NewValue fresh(target.place, target.slot, target.info);
    ::new (fresh.memory()) Plain(make());
    fresh.constructed();
    return *static_cast<T*>(fresh.publish());
  }

  template <class Make>
  static T& initialise(const Target& target, Make&& make) {
    const Initialising guard(target.place.key, target.info.name);
    return create(target, make);
  }

  [[nodiscard]] static std::optional<Plain> take(const Target& target) {
    T* const present = find(target.place);
    if (present == nullptr) return std::nullopt;
    std::optional<Plain> taken(std::move(*present));
    remove_value(target.place, target.slot, target.info);
    return taken;
  }

  // Puts another value where `present` is: by assignment, or, where T cannot be assigned, by
  // destroying the old object and moving the new one into its place.
  template <class U>
  static void replace(T& present, U&& value) {
    if constexpr (std::is_assignable_v<T&, U&&> && !std::is_const_v<T>) {
      present = std::forward<U>(value);
    } else {
      static_assert(std::is_nothrow_move_constructible_v<Plain>,
                    "set() needs a T that can be assigned, or moved without throwing");
      Plain fresh(std::forward<U>(value));
      Plain* const place = const_cast<Plain*>(std::addressof(present));
      std::destroy_at(place);
      ::new (static_cast<void*>(place)) Plain(std::move(fresh));
    }
  }
};

}  // namespace carrel::local
