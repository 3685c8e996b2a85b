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
  void* value = nullptr;         // behind this head, or what several scopes share
  std::uint32_t bind_depth = 0;  // how many bind guards of the variable were alive with this one
  std::uint8_t round = 0;        // the round of clear() that it was made in; 0 before
  bool displaced = false;        // a guard has put another value in its place for a while
};

// Small blocks of one scope. Freed blocks are used again by size; the rest goes with the arena.
class Arena {
 public:
  Arena() noexcept {}  // written out, so that making one does not clear the blocks first
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() = default;

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
  // The same, but a small block is not used again: it goes with the arena.
  void release_at_end(void* block, std::size_t bytes, std::size_t align) noexcept {
    const std::size_t rounded = round_up(bytes);
    if (!is_small(rounded, align)) [[unlikely]]
      release_slowly(block, rounded, align);
  }

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

  // What most scopes never need. Made at the first block that does not fit inside, or that is
  // released out of order.
  struct Rest {
    std::vector<Chunk> chunks;
    std::array<Free*, kSmallMax / kAlign + 1> free{};
  };

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
  std::unique_ptr<Rest> rest_;
};

// The places inside a map. Every key has one, its home, and its lowest byte says at which byte of
// an array that is: so a hit is one addition, one comparison and one load away.
struct Homes {
  static constexpr std::size_t kCount = 16;

  // The n-th key. Consecutive ones have different homes.
  [[nodiscard]] static constexpr std::uint64_t key(std::uint64_t number) noexcept {
    return number << 8 | (number % kCount) * sizeof(std::uint64_t);
  }
  [[nodiscard]] static constexpr std::uint64_t number(std::uint64_t key) noexcept {
    return key >> 8;
  }
  // The key's element of one of the arrays.
  template <class E>
  [[nodiscard]] static E& at(std::array<E, kCount>& array, std::uint64_t key) noexcept {
    return *reinterpret_cast<E*>(reinterpret_cast<std::byte*>(array.data()) +
                                 static_cast<std::uint8_t>(key));
  }
  template <class E>
  [[nodiscard]] static const E& at(const std::array<E, kCount>& array, std::uint64_t key) noexcept {
    return *reinterpret_cast<const E*>(reinterpret_cast<const std::byte*>(array.data()) +
                                       static_cast<std::uint8_t>(key));
  }

  // The key's value; nullptr if it is not at home.
  [[nodiscard]] [[gnu::always_inline]] void* find(std::uint64_t key) const noexcept {
    if (at(keys, key) != key) [[unlikely]]
      return nullptr;
    void* const value = at(values, key);
    if (value == nullptr) __builtin_unreachable();  // so that callers need not ask again
    return value;
  }

  // The arrays apart: only the keys need clearing when a scope is opened. 0: free.
  std::array<std::uint64_t, kCount> keys;
  std::array<void*, kCount> values;  // what the cells say
  std::array<Cell*, kCount> cells;
};

class ValueMap {
 public:
  ValueMap() noexcept {
    // In two halves, which gcc clears with plain stores: for the whole it takes `rep stos`, which
    // costs more, and once more at the first key that is read back from it.
    std::memset(homes_.keys.data(), 0, sizeof(homes_.keys) / 2);
    std::memset(homes_.keys.data() + Homes::kCount / 2, 0, sizeof(homes_.keys) / 2);
  }
  ValueMap(const ValueMap&) = delete;
  ValueMap& operator=(const ValueMap&) = delete;
  ~ValueMap() { clear(); }

  // A key for a new variable.
  [[nodiscard]] static std::uint64_t next_key() noexcept;

  [[nodiscard]] const Homes& homes() const noexcept { return homes_; }

  [[nodiscard]] Cell* find(std::uint64_t key) const noexcept {
    if (Homes::at(homes_.keys, key) == key) [[likely]]
      return Homes::at(homes_.cells, key);
    return overflow_ == nullptr ? nullptr : find_in_overflow(key);
  }
  // Makes `cell`, which is not yet in the map and whose key is not either, the key's value.
  void insert(Cell* cell) {
    if (Homes::at(homes_.keys, cell->key) == 0) [[likely]] {
      put_home(cell);
    } else {
      add_to_overflow(cell);
    }
    link(cell);
  }
  // What bind and unbind do, if it can be seen at once that nothing stands in the way: no value of
  // the key, and room for one; the cell is still the key's, and the newest.
  [[nodiscard]] bool insert_quickly(Cell* cell) noexcept {
    if (Homes::at(homes_.keys, cell->key) != 0 || overflow_ != nullptr) [[unlikely]]
      return false;
    cell->bind_depth = 1;
    put_home(cell);
    link(cell);
    return true;
  }
  // The cell is then the caller's to destroy.
  [[nodiscard]] bool take_out_quickly(std::uint64_t key, const Cell* cell) noexcept {
    if (newest_ != cell || Homes::at(homes_.keys, key) != key ||
        Homes::at(homes_.cells, key) != cell) [[unlikely]]
      return false;
    Homes::at(homes_.keys, key) = 0;
    newest_ = cell->older;
    (newest_ == nullptr ? oldest_ : newest_->newer) = nullptr;
    return true;
  }
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
  // Puts `fresh`, which is of the same key, in the place of `old`, the key's cell, and destroys
  // that.
  void replace(Cell* old, Cell* fresh) noexcept;
  // Makes `cell` the key's value in place of `old`, which stays, out of sight, until restore().
  void displace(Cell* old, Cell* cell) noexcept;
  // Brings back a displaced cell; what stands in its place is destroyed. Asks for no memory.
  void restore(Cell* displaced) noexcept;

  // Destroys every value, newest first, and what destructors put meanwhile, in at most kRounds
  // rounds. Returns how many values had to be abandoned undestroyed after that.
  std::size_t clear() noexcept { return newest_ == nullptr ? 0 : clear_values(); }

  [[nodiscard]] bool empty() const noexcept { return newest_ == nullptr; }
  [[nodiscard]] const Cell* oldest() const noexcept { return oldest_; }
  [[nodiscard]] Arena& arena() noexcept { return arena_; }

  static constexpr int kRounds = 8;  // as many as a thread's map grants its destructors

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    Cell* cell = nullptr;   // null: no value now
    bool kept = false;      // stays without a value, too: a displaced cell will come back here
  };
  struct Overflow {
    std::vector<Entry> entries;  // open addressing, linear probing, a power of two
    std::size_t used = 0;
    std::size_t kept = 0;  // of those used
  };

  [[nodiscard]] Cell* find_in_overflow(std::uint64_t key) const noexcept;
  // The key's entry of the overflow table, with a value or without; null if it has none.
  [[nodiscard]] Entry* overflow_entry(std::uint64_t key) noexcept;
  // Makes `cell` the key's cell in place of another one. Returns that; null, and does nothing, if
  // the key has none.
  Cell* exchange(Cell* cell) noexcept;
  void put_home(Cell* cell) noexcept {
    Homes::at(homes_.keys, cell->key) = cell->key;
    Homes::at(homes_.values, cell->key) = cell->value;
    Homes::at(homes_.cells, cell->key) = cell;
  }
  void add_to_overflow(Cell* cell);
  void erase_entry(std::uint64_t key) noexcept {
    if (Homes::at(homes_.keys, key) == key) [[likely]] {
      Homes::at(homes_.keys, key) = 0;
    } else {
      erase_from_overflow(key);
    }
  }
  void erase_from_overflow(std::uint64_t key) noexcept;
  void erase(Entry& entry) noexcept;
  // Frees the place that was kept for a displaced cell of the key.
  void keep_no_longer(std::uint64_t key) noexcept;
  void link(Cell* cell) noexcept {
    Cell* const newest = newest_;
    cell->older = newest;
    cell->newer = nullptr;
    cell->round = round_;
    (newest == nullptr ? oldest_ : newest->newer) = cell;
    newest_ = cell;
  }
  void unlink(Cell* cell) noexcept {
    (cell->older == nullptr ? oldest_ : cell->older->newer) = cell->newer;
    (cell->newer == nullptr ? newest_ : cell->newer->older) = cell->older;
  }
  void destroy(Cell* cell) noexcept {
    const CellOps& ops = *cell->ops;
    if (ops.destroy != nullptr) ops.destroy(*cell);
    arena_.release(cell, ops.cell_bytes, ops.cell_align);
  }
  std::size_t clear_values() noexcept;
  std::size_t abandon() noexcept;

  Homes homes_;
  std::unique_ptr<Overflow> overflow_;
  Cell* oldest_ = nullptr;
  Cell* newest_ = nullptr;
  std::uint8_t round_ = 0;
  Arena arena_;
};

}  // namespace carrel::scope
