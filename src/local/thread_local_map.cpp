#include "carrel/local/internal/thread_local_map.h"

#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "carrel/local/internal/cell.h"
#include "local/memory.h"
#include "local/slot.h"

namespace carrel::local {
namespace {

// A table of this many entries holds at most two thirds of it, as in the classic design: beyond
// that, runs of linear probing get long quickly (Knuth 6.4: 2.5 probes a miss at 1/2, 5 at 2/3).
constexpr bool is_too_full(std::uint32_t used, std::uint32_t capacity) noexcept {
  return std::uint64_t{used} * 3 > std::uint64_t{capacity} * 2;
}

}  // namespace

const Entry ThreadLocalMap::kNoTable[1] = {};

bool ThreadLocalMap::is_stale(Key key) const noexcept {
  return !key.empty() && variable_is_dead(key);
}

ThreadLocalMap::Home ThreadLocalMap::heap_home(std::uint32_t index) noexcept {
  auto* const entries = const_cast<Entry*>(table_);
  return {entries + index, reinterpret_cast<std::uint32_t*>(entries + heap_capacity()) + index};
}

ThreadLocalMap::Home ThreadLocalMap::find_home(Key key) noexcept {
  if (first_[index_of(key.first_offset())].key == key)
    return first_home(index_of(key.first_offset()));
  if (table_used_ == 0) return {};
  const std::uint32_t mask = heap_capacity() - 1;
  // Ends: a table is never full.
  for (std::uint32_t i = index_of(key.home_offset()) & mask;; i = (i + 1) & mask) {
    const Home home = heap_home(i);
    if (home.entry->key == key) return home;
    if (home.entry->key.empty()) return {};
  }
}

void* ThreadLocalMap::probe(Key key) noexcept {
  if (const Home home = find_home(key); home.entry != nullptr) return home.entry->value;
  // A miss clears what it meets that is stale, but asks the slots only if there is anything.
  if (has_stale() && !log_still_) clear_stale();
  return nullptr;
}

std::uint32_t ThreadLocalMap::log_index(Key key) noexcept {
  return *find_home(key).log_index;
}

void ThreadLocalMap::reserve_slowly(Key key) {
  if (!at(first_, key.first_offset()).key.empty()) reserve_table();
  if (log_size_ == log_capacity_) reserve_log();
}

void ThreadLocalMap::reserve_table() {
  if (heap_capacity() != 0 && !is_too_full(table_used_ + 1, heap_capacity())) return;
  if (has_stale() && !log_still_) {
    for (std::uint32_t i = 0; i < heap_capacity(); ++i) drop_stale(heap_home(i));
  }
  // Three quarters of the limit at least would be full again at once: then grow all the same.
  while (heap_capacity() == 0 || table_used_ + 1 > heap_capacity() / 2) {
    const std::uint32_t wanted = std::max(kCapacityMin, heap_capacity() * 2);
    if (!resize_table(wanted)) throw std::bad_alloc();
  }
}

void ThreadLocalMap::reserve_log() {
  if (!log_still_) compact_log();
  // At least a third must be free after compaction, or it would come again too soon.
  if (log_capacity_ != 0 && log_size_ < log_capacity_ - log_capacity_ / 3) return;
  if (log_capacity_ == 0) {
    log_ = inline_log_;
    log_capacity_ = kLogInline;
    return;
  }
  const std::uint32_t wanted = log_capacity_ * 2;
  if (!resize_log(wanted) && log_size_ == log_capacity_) throw std::bad_alloc();
}

bool ThreadLocalMap::resize_log(std::uint32_t capacity) noexcept {
  auto* const fresh = static_cast<Key*>(allocate(capacity * sizeof(Key)));
  if (fresh == nullptr) return false;
  std::copy_n(log_, log_size_, fresh);
  if (log_ != inline_log_) release(log_);
  log_ = fresh;
  log_capacity_ = capacity;
  return true;
}

void ThreadLocalMap::add_to_table(Entry entry, std::uint32_t log_index) noexcept {
  const std::uint32_t mask = heap_capacity() - 1;
  std::uint32_t i = index_of(entry.key.home_offset()) & mask;
  while (!table_[i].key.empty()) i = (i + 1) & mask;
  const Home home = heap_home(i);
  *home.entry = entry;
  *home.log_index = log_index;
  ++table_used_;
}

void ThreadLocalMap::erase_slowly(Key key) noexcept {
  const Home home = find_home(key);
  if (home.entry == nullptr) return;
  remove_home(home);
  if (!log_still_) shrink();
}

void* ThreadLocalMap::extract_slowly(Key key) noexcept {
  const Home home = find_home(key);
  void* const value = home.entry->value;
  remove_home(home);
  return value;
}

void ThreadLocalMap::remove_home(Home home) noexcept {
  add_count(~std::uint32_t{0});
  clear_log_at(*home.log_index);
  if (home.entry >= first_ && home.entry < first_ + Key::kFirstLevel) {
    put_first(*home.entry, Entry{});
    return;
  }
  --table_used_;
  repair_run_from(static_cast<std::uint32_t>(home.entry - table_));
}

// Removal without tombstones (Knuth 6.4, algorithm R): each later entry of the run moves into the
// hole unless its home lies cyclically between the hole and itself, since then a search for it
// never passes the hole.
void ThreadLocalMap::repair_run_from(std::uint32_t hole) noexcept {
  const std::uint32_t mask = heap_capacity() - 1;
  for (std::uint32_t i = (hole + 1) & mask; !table_[i].key.empty(); i = (i + 1) & mask) {
    const std::uint32_t home = index_of(table_[i].key.home_offset()) & mask;
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    *heap_home(hole).entry = table_[i];
    *heap_home(hole).log_index = *heap_home(i).log_index;
    hole = i;
  }
  *heap_home(hole).entry = Entry{};
}

void ThreadLocalMap::clear_stale() noexcept {
  for (std::uint32_t i = 0; i < Key::kFirstLevel; ++i) drop_stale(first_home(i));
  const std::uint32_t capacity = heap_capacity();
  if (capacity == 0) return;
  // Stale entries in more than an eighth of the places are worth a full sweep.
  const bool sweep_all = capacity <= 64 || stale() > capacity / 8;
  const std::uint32_t steps =
      sweep_all ? capacity : 4 * static_cast<std::uint32_t>(std::bit_width(capacity));
  for (std::uint32_t step = 0; step < steps; ++step) {
    drop_stale(heap_home(sweep_from_ & (capacity - 1)));
    ++sweep_from_;
  }
  shrink();
}

void ThreadLocalMap::drop_stale(Home home) noexcept {
  // The repair may move another stale entry into the hole.
  while (is_stale(home.entry->key)) {
    const Entry stale = *home.entry;
    remove_home(home);
    // Relaxed: see has_stale().
    stale_.fetch_sub(1, std::memory_order_relaxed);
    if (!stale.key.map_owns_value()) continue;
    Cell& cell = Cell::of(stale.value);
    cell.next = unowned_;
    unowned_ = &cell;
  }
}

Cell* ThreadLocalMap::take_unowned() noexcept {
  return std::exchange(unowned_, nullptr);
}

void ThreadLocalMap::compact_log() noexcept {
  if (count() == 0) {
    log_size_ = 0;
    return;
  }
  std::uint32_t kept = 0;
  for (std::uint32_t i = 0; i < log_size_; ++i) {
    const Key key = log_[i];
    if (key.empty()) continue;
    *find_home(key).log_index = kept;
    log_[kept++] = key;
  }
  log_size_ = kept;
}

bool ThreadLocalMap::resize_table(std::uint32_t capacity) noexcept {
  auto* const fresh =
      static_cast<Entry*>(allocate_zeroed(capacity * (sizeof(Entry) + sizeof(std::uint32_t))));
  if (fresh == nullptr) return false;
  const Entry* const old = table_;
  const std::uint32_t old_capacity = heap_capacity();
  const auto* const old_log_index = reinterpret_cast<const std::uint32_t*>(old + old_capacity);
  table_ = fresh;
  table_mask_ = (capacity - 1) * std::uint32_t{sizeof(Entry)};
  capacity_.store(capacity, std::memory_order_relaxed);  // a figure for inspection
  table_used_ = 0;
  for (std::uint32_t i = 0; i < old_capacity; ++i) {
    if (!old[i].key.empty()) add_to_table(old[i], old_log_index[i]);
  }
  if (old != kNoTable) release(const_cast<Entry*>(old));
  return true;
}

// From an eighth to at least a quarter: a table that was just halved doubles again only after its
// entries have more than doubled. Without memory for something smaller the larger does as well.
void ThreadLocalMap::shrink() noexcept {
  if (std::uint32_t wanted = heap_capacity(); wanted > kCapacityMin && table_used_ < wanted / 8) {
    while (wanted > kCapacityMin && table_used_ < wanted / 8) wanted /= 2;
    static_cast<void>(resize_table(wanted));
  }
  if (log_capacity_ > kLogKept && count() < log_capacity_ / 8) {
    compact_log();
    static_cast<void>(resize_log(log_capacity_ / 4));
  }
}

void ThreadLocalMap::recount_stale() noexcept {
  std::uint32_t stale = 0;
  for (const Entry& entry : first_) stale += is_stale(entry.key) ? 1 : 0;
  for (std::uint32_t i = 0; i < heap_capacity(); ++i) stale += is_stale(table_[i].key) ? 1 : 0;
  stale_.store(stale, std::memory_order_relaxed);  // the child has one thread
}

void ThreadLocalMap::release_memory() noexcept {
  if (table_ != kNoTable) release(const_cast<Entry*>(table_));
  if (log_ != inline_log_) release(log_);
  table_ = kNoTable;
  table_mask_ = 0;
  table_used_ = 0;
  capacity_.store(0, std::memory_order_relaxed);  // a figure for inspection
  log_ = nullptr;
  log_size_ = log_capacity_ = 0;
  // Nobody counts here any more: none of the thread's cells is linked. Relaxed: see has_stale().
  stale_.store(0, std::memory_order_relaxed);
}

}  // namespace carrel::local
