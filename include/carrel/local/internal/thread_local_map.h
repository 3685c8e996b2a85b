// ThreadLocalMap: the table from variables to the values of one thread. Internal: use ThreadLocal.
//
// Two levels. The first is sixteen direct-mapped entries inside the map itself, and the thread's
// map lies in its thread-local block, so that a hit costs one thread-pointer-relative comparison
// and one load. What finds its place there taken goes to a table on the heap: open addressing with
// linear probing, a power of two from 16, grown past two thirds, halved below an eighth, gone with
// the thread. Removing repairs the probe run (no tombstones).
//
// The insertion log keeps the keys in the order of first initialisation. Teardown walks it
// backwards; its tail since a task began is what the audit looks at.
//
// Threads: written and read by its owner alone; no member is atomic but the published figures.
// Lifetime: trivially destructible, since it outlives every destructor of its thread; its owner
// calls release_memory(). Errors: only reserve() allocates and may throw; nothing else does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "carrel/local/internal/key.h"

namespace carrel::local {

struct Cell;

class ThreadLocalMap {
 public:
  constexpr ThreadLocalMap() noexcept = default;
  ThreadLocalMap(const ThreadLocalMap&) = delete;
  ThreadLocalMap& operator=(const ThreadLocalMap&) = delete;

  // The value of the variable, or nullptr. Clears the stale entries that it meets.
  [[nodiscard]] [[gnu::always_inline]] void* find(Key key) noexcept {
    if (void* const value = find_first(key)) [[likely]]
      return value;
    return find_beyond(key);
  }
  // The first level of it.
  [[nodiscard]] [[gnu::always_inline]] void* find_first(Key key) const noexcept {
    const Entry& entry = at(first_, key.first_offset());
    return entry.key == key ? present(entry) : nullptr;
  }
  // The home place in the heap's table.
  [[nodiscard]] [[gnu::always_inline]] void* find_in_table(Key key) const noexcept {
    const Entry& entry = at(table_, key.home_offset() & table_mask_);
    return entry.key == key ? present(entry) : nullptr;
  }
  // All but the first level.
  [[nodiscard]] void* find_beyond(Key key) noexcept {
    if (table_used_ == 0 && !has_stale()) [[likely]]
      return nullptr;
    if (void* const value = find_in_table(key)) return value;
    return probe(key);
  }

  // Makes room for one more entry for the key. Throws std::bad_alloc; the map is then as it was.
  void reserve(Key key) {
    if (at(first_, key.first_offset()).key.empty() && log_size_ != log_capacity_) [[likely]]
      return;
    reserve_slowly(key);
  }
  // Adds an entry that is not there yet; reserve() has just made the room.
  void insert(Key key, void* value) noexcept {
    const std::uint32_t log_index = log_size_++;
    log_[log_index] = key;
    ++insertions_;
    add_count(1);
    if (Entry& entry = at(first_, key.first_offset()); entry.key.empty()) [[likely]] {
      put_first(entry, Entry{key, value});
      first_log_index_[index_of(key.first_offset())] = log_index;
    } else {
      add_to_table(Entry{key, value}, log_index);
    }
  }
  // How many insertions there have been: whether foreign code has used the map meanwhile.
  [[nodiscard]] std::uint32_t insertions() const noexcept { return insertions_; }
  // Takes the variable's entry out, if there is one. Never touches the value or its cell, which
  // may be gone already when the variable is.
  void erase(Key key) noexcept {
    Entry& entry = at(first_, key.first_offset());
    if (entry.key != key || log_capacity_ > kLogKept || log_still_) [[unlikely]] {
      erase_slowly(key);
      return;
    }
    put_first(entry, Entry{});
    add_count(~std::uint32_t{0});
    clear_log_at(first_log_index_[index_of(key.first_offset())]);
  }
  // Takes the variable's entry out, which there must be, and returns its value. For a teardown:
  // while the log is held still.
  [[nodiscard]] void* extract(Key key) noexcept {
    Entry& entry = at(first_, key.first_offset());
    if (entry.key != key) return extract_slowly(key);
    void* const value = entry.value;
    put_first(entry, Entry{});
    add_count(~std::uint32_t{0});
    clear_log_at(first_log_index_[index_of(key.first_offset())]);
    return value;
  }

  // Whether other threads have destroyed variables of which this map still has keys.
  [[nodiscard]] bool has_stale() const noexcept {
    // Relaxed: a hint. The generation that tells which entries are stale is read on its own, and a
    // key that is not cleared now is cleared by the next insertion.
    return stale_.load(std::memory_order_relaxed) != 0;
  }
  // Clears stale entries: all of them in a small table or when they are many, else a number
  // logarithmic in the capacity, from where the last call ended.
  void clear_stale() noexcept;
  // The values of dead variables that this map owns and that clearing has found, linked by
  // `Cell::next`. The caller destroys them once no operation on the map is under way.
  [[nodiscard]] Cell* take_unowned() noexcept;
  [[nodiscard]] bool has_unowned() const noexcept { return unowned_ != nullptr; }
  // Called by the thread that destroys a variable of which this map holds a key.
  void count_stale() noexcept { stale_.fetch_add(1, std::memory_order_relaxed); }  // as has_stale()

  // --- the insertion log ---
  [[nodiscard]] std::uint32_t log_size() const noexcept { return log_size_; }
  // The n-th key in order of first initialisation; empty if that one was removed.
  [[nodiscard]] Key log_key(std::uint32_t index) const noexcept { return log_[index]; }
  // While a teardown walks the log its indexes must stand still.
  void hold_log_still(bool still) noexcept { log_still_ = still; }
  // Drops the records of entries that are no more. Not while the log is held still.
  void compact_log() noexcept;
  // Where the record of the variable's entry is, which there must be.
  [[nodiscard]] std::uint32_t log_index(Key key) noexcept;

  // --- what the audit compares ---
  // Time as the audit sees it: advanced by every mark, so that a value which was made or replaced
  // at or after a mark carries at least the mark's number. A set() so only stores, and does not
  // count.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  std::uint64_t next_epoch() noexcept { return ++epoch_; }
  // When a value that the audit looks at was last made, and last replaced.
  [[nodiscard]] std::uint64_t last_creation() const noexcept { return created_; }
  [[nodiscard]] std::uint64_t last_replacement() const noexcept { return replaced_; }
  void note_creation() noexcept { created_ = epoch_; }
  void note_replacement(std::uint64_t epoch) noexcept { replaced_ = epoch; }

  // --- figures; count() and capacity() may be read by other threads ---
  [[nodiscard]] std::uint32_t count() const noexcept {
    // Relaxed: a figure that was right at some moment is all that readers are promised.
    return count_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t capacity() const noexcept {
    return Key::kFirstLevel + capacity_.load(std::memory_order_relaxed);  // as count()
  }
  [[nodiscard]] std::uint32_t stale() const noexcept {
    return stale_.load(std::memory_order_relaxed);  // as count()
  }

  // Gives the memory of an empty map back.
  void release_memory() noexcept;
  // In a forked child, where others have counted what is not so here.
  void recount_stale() noexcept;

 private:
  static constexpr std::uint32_t kCapacityMin = 16;
  static constexpr std::uint32_t kLogKept = 4 * kCapacityMin;  // a log up to this never shrinks
  // Stands in for a table that is not there, so that the hot path need not ask.
  static const Entry kNoTable[1];

  // Tells the compiler that an entry with a key has a value, so that callers need not ask.
  [[nodiscard]] static void* present(const Entry& entry) noexcept {
    if (entry.value == nullptr) __builtin_unreachable();
    return entry.value;
  }
  [[nodiscard]] static constexpr std::uint32_t index_of(std::uint32_t byte_offset) noexcept {
    return byte_offset / std::uint32_t{sizeof(Entry)};
  }
  template <class E>
  [[nodiscard]] static E& at(E* table, std::uint32_t byte_offset) noexcept {
    using Byte = std::conditional_t<std::is_const_v<E>, const std::byte, std::byte>;
    return *reinterpret_cast<E*>(reinterpret_cast<Byte*>(table) + byte_offset);
  }
  // An entry for the owner to change, and the index of its record in the log. The indexes lie apart
  // from the entries (in the heap's table: behind them), so that a hit reads 16 bytes only.
  struct Home {
    Entry* entry = nullptr;
    std::uint32_t* log_index = nullptr;
  };
  [[nodiscard]] std::uint32_t heap_capacity() const noexcept {
    return capacity_.load(std::memory_order_relaxed);  // the owner reads what it wrote itself
  }
  [[nodiscard]] Home first_home(std::uint32_t index) noexcept {
    return {&first_[index], &first_log_index_[index]};
  }
  [[nodiscard]] Home heap_home(std::uint32_t index) noexcept;
  [[nodiscard]] bool is_stale(Key key) const noexcept;
  [[nodiscard]] void* probe(Key key) noexcept;
  [[nodiscard]] Home find_home(Key key) noexcept;
  void add_to_table(Entry entry, std::uint32_t log_index) noexcept;
  void repair_run_from(std::uint32_t hole) noexcept;
  void remove_home(Home home) noexcept;
  void drop_stale(Home home) noexcept;
  void clear_log_at(std::uint32_t index) noexcept {
    log_[index] = Key{};
    if (log_still_) return;
    while (log_size_ != 0 && log_[log_size_ - 1].empty()) --log_size_;
  }
  void reserve_slowly(Key key);
  void erase_slowly(Key key) noexcept;
  [[nodiscard]] void* extract_slowly(Key key) noexcept;
  void reserve_table();
  void reserve_log();
  [[nodiscard]] bool resize_table(std::uint32_t capacity) noexcept;
  [[nodiscard]] bool resize_log(std::uint32_t capacity) noexcept;
  void shrink() noexcept;
  void add_count(std::uint32_t by) noexcept {
    // Only the owner writes: a load and a store suffice, and cost no locked instruction.
    count_.store(count_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  // Changes an entry of the first level. lookup.h reads it behind the compiler's back: the two
  // empty statements keep the change where it is written.
  static void put_first(Entry& place, Entry entry) noexcept {
    asm volatile("" : : : "memory");
    place = entry;
    asm volatile("" : : : "memory");
  }

  Entry first_[Key::kFirstLevel];  // first: see lookup.h
  const Entry* table_ = kNoTable;
  std::uint32_t table_mask_ = 0;  // in bytes
  std::uint32_t table_used_ = 0;
  std::atomic<std::uint32_t> capacity_{0};  // of the heap table
  std::atomic<std::uint32_t> count_{0};     // entries of both levels, stale ones included
  std::atomic<std::uint32_t> stale_{0};     // raised by others, lowered by the owner
  std::uint32_t insertions_ = 0;
  std::uint32_t sweep_from_ = 0;
  std::uint32_t first_log_index_[Key::kFirstLevel] = {};
  // The log of a thread that holds few values lies in the map, so that such a thread's end has
  // nothing to give back. Null: as long as the map is constant-initialised it cannot point at
  // itself.
  static constexpr std::uint32_t kLogInline = 8;
  Key* log_ = nullptr;
  std::uint32_t log_size_ = 0;
  std::uint32_t log_capacity_ = 0;
  Key inline_log_[kLogInline];
  bool log_still_ = false;
  std::uint64_t epoch_ = 1;
  std::uint64_t created_ = 0;
  std::uint64_t replaced_ = 0;
  Cell* unowned_ = nullptr;
};

}  // namespace carrel::local
