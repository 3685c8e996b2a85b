// ValueCell: how a value of type T stands in a scope's map, and how it flows. Internal to the scope
// layer, but for Flow: use RequestLocal.
//
// Threads: one at a time, but for a shared object, which is_concurrent<T> speaks about.
// Lifetime: the map's. Errors: what T's own constructors throw; a cell is then not made.
#pragma once

#include <concepts>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "carrel/local/concurrent.h"
#include "carrel/scope/internal/value_map.h"

namespace carrel {

// What a Snapshot does with a variable's value.
enum class Flow {
  none,   // it stays in its scope
  copy,   // the snapshot, and every run of it, has a copy
  share,  // all have the same object
};

template <class T>
inline constexpr Flow kDefaultFlow = std::copy_constructible<T> ? Flow::copy : Flow::none;

namespace scope {

template <class T, Flow F>
struct ValueCell {
  static constexpr bool kShared = F == Flow::share;
  // Whether set() may change the value in place: others keep the shared object that they have.
  static constexpr bool kAssignable = !kShared && std::is_move_assignable_v<T>;
  using Stored = std::conditional_t<kShared, std::shared_ptr<T>, T>;
  using Reference = std::conditional_t<kShared && !is_concurrent<T>, const T&, T&>;

  struct Full : Cell {
    template <class Make>
    Full(std::uint64_t own_key, Make& make_value) : Cell{&kOps, own_key}, stored(make_value()) {
      if constexpr (kShared) {
        value = const_cast<void*>(static_cast<const void*>(stored.get()));
      } else {
        value = std::addressof(stored);
      }
    }
    Stored stored;
  };

  [[nodiscard]] static Reference value(Cell& cell) noexcept {
    return *static_cast<std::remove_reference_t<Reference>*>(cell.value);
  }

  // A new cell that holds what `make_value` returns.
  template <class Make>
  [[nodiscard]] static Cell* make(Arena& arena, std::uint64_t key, Make&& make_value) {
    if constexpr (kShared) {
      auto make_shared = [&] { return std::shared_ptr<T>(new T(make_value())); };
      return make_full(arena, key, make_shared);
    } else {
      return make_full(arena, key, make_value);
    }
  }

  // Of a cell that is in no map any more.
  static void destroy_taken_out(Cell& cell, Arena& arena) noexcept {
    if constexpr (!std::is_trivially_destructible_v<Stored>) destroy(cell);
    arena.release(&cell, sizeof(Full), alignof(Full));
  }

 private:
  template <class Make>
  static Cell* make_full(Arena& arena, std::uint64_t key, Make& make_stored) {
    void* const block = arena.allocate(sizeof(Full), alignof(Full));
    try {
      return new (block) Full(key, make_stored);
    } catch (...) {
      arena.release(block, sizeof(Full), alignof(Full));
      throw;
    }
  }

  static void destroy(Cell& cell) noexcept { std::destroy_at(static_cast<Full*>(&cell)); }

  static Cell* copy(const Cell& from, Arena& arena) {
    auto copy_stored = [&]() -> Stored { return static_cast<const Full&>(from).stored; };
    return make_full(arena, from.key, copy_stored);
  }

  static constexpr auto copy_if_it_flows() -> Cell* (*)(const Cell&, Arena&) {
    if constexpr (F == Flow::none) {
      return nullptr;
    } else {
      return &ValueCell::copy;
    }
  }

  static constexpr CellOps kOps{
      std::is_trivially_destructible_v<Stored> ? nullptr : &ValueCell::destroy, copy_if_it_flows(),
      sizeof(Full), alignof(Full)};
};

}  // namespace scope
}  // namespace carrel
