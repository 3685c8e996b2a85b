// ValueMap: the values of one scope, by variable. Internal to the scope layer: use RequestLocal.
//
// A key is a number that no other variable of the process ever has, so a value whose variable died
// can never be mistaken for another's: it is unreachable, and dies with the map. Consecutive keys
// have different homes in the table inside the map itself; only keys that collide there go to the
// overflow table on the heap. Values live in cells from the map's own arena, so that opening a
// scope, binding a few values and closing it allocates nothing.
//
// Threads: one at a time. Lifetime: destroys its values, newest first.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace carrel::scope {

class Arena;
struct Cell;

// What can be done with a cell of one type without knowing the type. One constant object each.
struct CellOps {
  void (*destroy)(Cell& cell) noexcept;           // null: nothing to do
  Cell* (*copy)(const Cell& from, Arena& arena);  // null: the value does not flow
  std::size_t cell_bytes;
  std::size_t cell_align;
};

// The head of one value; the value follows it.
struct alignas(std::max_align_t) Cell {
  const CellOps* ops;
  std::uint64_t key;
  Cell* older = nullptr;
  Cell* newer = nullptr;
  std::uint32_t bind_depth = 0;  // how many bind guards of the variable were alive with this one
  std::uint8_t round = 0;        // the round of clear() that it was made in; 0 before
  bool displaced = false;        // a guard has put another value in its place for a while
};

// Small blocks of one scope. Freed blocks are used again by size; the rest goes with the arena.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  [[nodiscard]] void* allocate(std::size_t bytes, std::size_t align) {
    const std::size_t rounded = round_up(bytes);
    if (align <= kAlign && rounded <= kInlineBytes - inline_used_) [[likely]] {
      void* const block = inline_.data() + inline_used_;
      inline_used_ += static_cast<std::uint32_t>(rounded);
      return block;
    }
    return allocate_slowly(rounded, align);
  }
  void release(void* block, std::size_t bytes, std::size_t align) noexcept {
    const std::size_t rounded = round_up(bytes);
    // The newest block of the inline part is simply taken back: the usual case of bind and unbind.
    if (static_cast<std::byte*>(block) + rounded == inline_.data() + inline_used_) [[likely]] {
      inline_used_ -= static_cast<std::uint32_t>(rounded);
    } else {
      release_slowly(block, rounded, align);
    }
  }
  // Takes back everything at once; only when every block has been released.
  void reset() noexcept;

 private:
  struct Free {
    Free* next;
  };
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t used = 0;
  };
  static constexpr std::size_t kAlign = alignof(std::max_align_t);
  static constexpr std::size_t kInlineBytes = 320;  // five small values
  static constexpr std::size_t kChunkBytes = 4096;
  static constexpr std::size_t kSmallMax = 256;  // larger blocks go straight to operator new

  static constexpr std::size_t round_up(std::size_t bytes) noexcept {
    return (bytes + kAlign - 1) & ~(kAlign - 1);
  }
  static bool is_small(std::size_t rounded, std::size_t align) noexcept {
    return align <= kAlign && rounded <= kSmallMax;
  }
  void* allocate_slowly(std::size_t rounded, std::size_t align);
  void release_slowly(void* block, std::size_t rounded, std::size_t align) noexcept;
  [[nodiscard]] bool is_inline(const void* block) const noexcept {
    return block >= inline_.data() && block < inline_.data() + kInlineBytes;
  }

  alignas(kAlign) std::array<std::byte, kInlineBytes> inline_;  // not initialised, on purpose
  std::uint32_t inline_used_ = 0;
  std::vector<Chunk> chunks_;
  std::unique_ptr<std::array<Free*, kSmallMax / kAlign + 1>> free_;  // made at the first release
};

class ValueMap {
 public:
  ValueMap() noexcept {
    // In two halves, which gcc clears with plain stores: for the whole it takes `rep stos`, which
    // costs more, and once more at the first key that is read back from it.
    std::memset(home_keys_.data(), 0, sizeof(home_keys_) / 2);
    std::memset(home_keys_.data() + kHomes / 2, 0, sizeof(home_keys_) / 2);
  }
  ValueMap(const ValueMap&) = delete;
  ValueMap& operator=(const ValueMap&) = delete;
  ~ValueMap() { clear(); }

  // A key for a new variable.
  [[nodiscard]] static std::uint64_t next_key() noexcept;

  [[nodiscard]] Cell* find(std::uint64_t key) const noexcept {
    const std::size_t home = key % kHomes;
    if (home_keys_[home] == key) [[likely]]
      return home_cells_[home];
    return overflow_ == nullptr ? nullptr : find_in_overflow(key);
  }
  // Makes `cell`, which is not yet in the map and whose key is not either, the key's value.
  void insert(Cell* cell);
  // Destroys a cell that could not be inserted.
  void discard(Cell* cell) noexcept { destroy(cell); }
  // Takes the key's value out of the map and destroys it. False when there is none.
  bool remove(std::uint64_t key) noexcept;
  // The same, for the cell that find(cell->key) has just returned.
  void remove(Cell* cell) noexcept {
    erase_entry(cell->key);
    unlink(cell);
    destroy(cell);  // last: it runs user code, which may come back here
  }
  // Makes `cell` the key's value in place of `old`, which stays, out of sight, until restore().
  void displace(Cell* old, Cell* cell) noexcept;
  // Brings back a displaced cell; what stands in its place is destroyed.
  void restore(Cell* displaced);

  // Destroys every value, newest first, and what destructors put meanwhile, in at most kRounds
  // rounds. Returns how many values had to be abandoned undestroyed after that.
  std::size_t clear() noexcept;

  [[nodiscard]] bool empty() const noexcept { return newest_ == nullptr; }
  [[nodiscard]] const Cell* oldest() const noexcept { return oldest_; }
  [[nodiscard]] Arena& arena() noexcept { return arena_; }

  static constexpr int kRounds = 8;  // as many as a thread's map grants its destructors

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    Cell* cell = nullptr;
  };
  struct Overflow {
    std::vector<Entry> entries;  // open addressing, linear probing, a power of two
    std::size_t used = 0;
  };
  static constexpr std::size_t kHomes = 16;

  [[nodiscard]] Cell* find_in_overflow(std::uint64_t key) const noexcept;
  // Where the key's cell stands; null if it has none.
  [[nodiscard]] Cell** place_of_cell(std::uint64_t key) noexcept;
  void add_entry(Cell* cell);
  void add_to_overflow(Cell* cell);
  void erase_entry(std::uint64_t key) noexcept {
    const std::size_t home = key % kHomes;
    if (home_keys_[home] == key) [[likely]] {
      home_keys_[home] = 0;
    } else {
      erase_from_overflow(key);
    }
  }
  void erase_from_overflow(std::uint64_t key) noexcept;
  void link(Cell* cell) noexcept;
  void unlink(Cell* cell) noexcept {
    (cell->older == nullptr ? oldest_ : cell->older->newer) = cell->newer;
    (cell->newer == nullptr ? newest_ : cell->newer->older) = cell->older;
  }
  void destroy(Cell* cell) noexcept {
    const CellOps& ops = *cell->ops;
    if (ops.destroy != nullptr) ops.destroy(*cell);
    arena_.release(cell, ops.cell_bytes, ops.cell_align);
  }
  std::size_t abandon() noexcept;

  // Keys and cells apart: only the keys need clearing when a scope is opened.
  std::array<std::uint64_t, kHomes> home_keys_;
  std::array<Cell*, kHomes> home_cells_;
  std::unique_ptr<Overflow> overflow_;
  Cell* oldest_ = nullptr;
  Cell* newest_ = nullptr;
  std::uint8_t round_ = 0;
  Arena arena_;
};

}  // namespace carrel::scope
