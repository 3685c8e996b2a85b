// Values<T>: the operations of a variable on this thread's map, in terms of T. Internal to the
// local layer: ThreadLocal and StaticThreadLocal are thin fronts of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "carrel/local/internal/lookup.h"
#include "carrel/local/internal/variable.h"

namespace carrel::local {

// Where a variable's values are, and how they are made. Copied by value: destructors of values may
// destroy the variable itself while an operation runs.
struct Target {
  Key key;
  Slot& slot;
  const VariableInfo& info;
};

template <class T>
class Values {
  using Plain = std::remove_const_t<T>;

 public:
  // Clears the stale entries that a miss meets.
  [[nodiscard]] static T* find(Key key) noexcept {
    void* value = lookup_first(key);
    if (value == nullptr) [[unlikely]]
      value = thread_block.map.find_beyond(key);
    return static_cast<T*>(value);
  }

  // Makes the value that is not there yet from what `make` returns.
  template <class Make>
  static T& create(const Target& target, Make&& make) {
    if constexpr (is_word<Plain> && !has_referent<Plain> && !tells_bytes<Plain>) {
      const std::uint32_t before = thread_block.map.insertions();
      const Plain value = make();
      if (thread_block.map.insertions() != before) {  // `make` has used the map
        if (T* const present = find(target.key)) return *present;
      }
      std::uint64_t word = 0;
      std::memcpy(&word, std::addressof(value), sizeof(value));
      return *static_cast<T*>(insert_word(target.key, target.slot, target.info, word));
    } else {
      return create_in_place(target, make);
    }
  }

  template <class Make>
  static T& create_in_place(const Target& target, Make&& make) {
    NewValue fresh(target.key, target.slot, target.info);
    ::new (fresh.memory()) Plain(make());
    fresh.constructed();
    note_change(*static_cast<T*>(fresh.memory()));
    return *static_cast<T*>(fresh.publish());
  }

  // To be called after each change of a value, also of one that is not in the map yet: records what
  // other threads may know of it.
  static void note_change(T& value) noexcept {
    if constexpr (tells_bytes<Plain>) {
      // Relaxed: a figure on its own.
      Cell::of(const_cast<Plain*>(std::addressof(value)))
          .bytes.store(told_bytes<Plain>(value), std::memory_order_relaxed);
    }
    if constexpr (has_referent<Plain>) {
      referent_record(const_cast<Plain*>(std::addressof(value)), referent_at<Plain>)
          .store(referent_of(std::as_const(value)), std::memory_order_relaxed);  // only reported
    }
  }

  template <class Make>
  static T& initialise(const Target& target, Make&& make) {
    const Initialising guard(target.key, target.info.name);
    return create(target, make);
  }

  [[nodiscard]] static std::optional<Plain> take(const Target& target) {
    T* const present = find(target.key);
    if (present == nullptr) {
      end_unowned_values();
      return std::nullopt;
    }
    std::optional<Plain> taken(std::move(*present));
    remove_value(target.key, target.slot, target.info);
    return taken;
  }

  // Puts another value where `present`, the key's, is: by assignment, or, where T cannot be
  // assigned, by moving the old object away and the new one into its place.
  template <class U>
  static void replace(Key key, T& present, U&& value) {
    if constexpr (std::is_assignable_v<T&, U&&> && !std::is_const_v<T>) {
      present = std::forward<U>(value);
      // What the old value held has died, and may have used the variable in its destructor.
      if constexpr (!std::is_trivially_destructible_v<Plain>) {
        if (find(key) != std::addressof(present)) return;
      }
      note_replaced(present);
    } else {
      static_assert(std::is_nothrow_move_constructible_v<Plain>,
                    "set() needs a T that can be assigned, or moved without throwing");
      Plain fresh(std::forward<U>(value));
      Plain* const place = const_cast<Plain*>(std::addressof(present));
      // Dies last, for the same reason: by then the new value is there.
      [[maybe_unused]] const Plain replaced(std::move(*place));
      std::destroy_at(place);
      ::new (static_cast<void*>(place)) Plain(std::move(fresh));
      note_replaced(present);
    }
  }

 private:
  static void note_replaced(T& present) noexcept {
    note_change(present);
    local::note_replaced(const_cast<Plain*>(std::addressof(present)));
  }
};

}  // namespace carrel::local
