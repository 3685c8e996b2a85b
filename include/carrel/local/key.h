// Key: which variable an entry belongs to. Internal to the local layer.
//
// A weak key: it names the variable by its slot and the slot's generation and keeps nothing alive.
// When the variable dies its slot's generation advances, so that every key of it, wherever it was
// left behind, tells by itself that it is stale; a later variable in the same slot has another key.
#pragma once

#include <cstddef>
#include <cstdint>

namespace carrel::local {

enum class Ownership : std::uint32_t {
  shared_with_variable = 0,  // the dying variable destroys the value (Reclaim::eager)
  map_only = 1,              // only the thread of the map may destroy it (Reclaim::owner)
};

// High to low: 32 bits generation (never 0), 1 bit ownership, 31 bits slot number.
struct Key {
  std::uint64_t bits = 0;

  static constexpr std::uint32_t kSlotMax = 0x7ffffffeU;

  [[nodiscard]] static constexpr Key make(std::uint32_t slot, std::uint32_t generation,
                                          Ownership ownership) noexcept {
    return Key{(std::uint64_t{generation} << 32) | (static_cast<std::uint64_t>(ownership) << 31) |
               slot};
  }
  // No entry ever has this key: what a variable holds that is dead or not yet registered.
  [[nodiscard]] static constexpr Key never() noexcept { return Key{~std::uint64_t{0}}; }

  [[nodiscard]] constexpr bool empty() const noexcept { return bits == 0; }
  [[nodiscard]] constexpr std::uint32_t slot() const noexcept {
    return static_cast<std::uint32_t>(bits) & 0x7fffffffU;
  }
  [[nodiscard]] constexpr std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(bits >> 32);
  }
  [[nodiscard]] constexpr bool map_owns_value() const noexcept { return (bits & 0x80000000U) != 0; }

  friend constexpr bool operator==(Key, Key) noexcept = default;
};

// One place of a table. `value` points at the T itself, so that a hit is one load away from it.
struct Entry {
  Key key;
  void* value = nullptr;
};

// Where the entries of a variable are looked for, as byte offsets, computed once when the variable
// is made. The low bits of the product are used: an odd factor maps 2^n consecutive slot numbers to
// 2^n different places (the high bits would give 12 to 16 of 16). The factor is 2^32 divided by the
// golden ratio, as in Knuth's Fibonacci hashing and in the JDK's ThreadLocal (0x61c88647), which
// also keeps the places of consecutive numbers apart, so that probe runs stay short.
struct Place {
  static constexpr std::uint32_t kFirstLevel = 16;  // entries in the thread's own block

  Key key = Key::never();
  std::uint32_t first = 0;  // byte offset in the first-level table
  std::uint32_t home = 0;   // byte offset in the heap's table, before its mask

  [[nodiscard]] static constexpr Place of(Key key) noexcept {
    const std::uint32_t home = key.slot() * 0x61c88647U * std::uint32_t{sizeof(Entry)};
    return Place{key, home & ((kFirstLevel - 1) * std::uint32_t{sizeof(Entry)}), home};
  }
};

}  // namespace carrel::local
