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

// High to low: 32 bits generation (never 0), 1 bit ownership, 27 bits slot number, 4 bits 0.
//
// So the lowest byte is the byte offset of the key's entry in the first-level table: a lookup takes
// it with one instruction, and loads nothing of the variable but the key.
struct Key {
  std::uint64_t bits = 0;

  static constexpr std::uint32_t kSlotMax = 0x7fffffeU;
  static constexpr std::uint32_t kFirstLevel = 16;  // entries in the thread's own block

  [[nodiscard]] static constexpr Key make(std::uint32_t slot, std::uint32_t generation,
                                          Ownership ownership) noexcept {
    return Key{(std::uint64_t{generation} << 32) | (static_cast<std::uint64_t>(ownership) << 31) |
               (std::uint64_t{slot} << 4)};
  }
  // No entry ever has this key: what a variable holds that is dead or not yet registered.
  [[nodiscard]] static constexpr Key never() noexcept { return Key{~std::uint64_t{0xf}}; }

  [[nodiscard]] constexpr bool empty() const noexcept { return bits == 0; }
  [[nodiscard]] constexpr std::uint32_t slot() const noexcept {
    return (static_cast<std::uint32_t>(bits) & 0x7fffffffU) >> 4;
  }
  [[nodiscard]] constexpr std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(bits >> 32);
  }
  [[nodiscard]] constexpr bool map_owns_value() const noexcept { return (bits & 0x80000000U) != 0; }

  // Where its entry is looked for. In the first level consecutive slots have consecutive places,
  // and 16 of them all 16: what the JDK's ThreadLocal has its factor for.
  [[nodiscard]] constexpr std::uint32_t first_offset() const noexcept {  // in bytes
    return static_cast<std::uint8_t>(bits);
  }
  // In the heap's table, in bytes and before its mask. The factor is 2^32 divided by the golden
  // ratio, as in Knuth's Fibonacci hashing and in the JDK's ThreadLocal (0x61c88647). Its product's
  // low bits are used: an odd factor maps 2^n consecutive slots to 2^n different places (the high
  // bits would give 12 to 16 of 16), and keeps them apart, so that probe runs stay short.
  [[nodiscard]] constexpr std::uint32_t home_offset() const noexcept {
    return static_cast<std::uint32_t>(bits) * 0x61c88647U;
  }

  friend constexpr bool operator==(Key, Key) noexcept = default;
};

// One place of a table. `value` points at the T itself, so that a hit is one load away from it.
struct Entry {
  Key key;
  void* value = nullptr;
};
static_assert(sizeof(Entry) == 16, "see Key: a slot number's place in the key is its offset");

}  // namespace carrel::local
