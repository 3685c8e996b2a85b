#include "carrel/scope/internal/value_map.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace carrel::scope {
namespace {

// Knuth's multiplicative hashing, as in java.lang.ThreadLocal: consecutive keys spread evenly over
// a power of two.
constexpr std::uint64_t kFibonacciStep = 0x61c88647;
constexpr std::size_t kOverflowInitial = 16;

std::size_t place_of(std::uint64_t key, std::size_t mask) noexcept {
  return static_cast<std::size_t>(Homes::number(key) * kFibonacciStep) & mask;
}

// At home in place of a key, whose displaced cell will come back there: restore() so asks for no
// memory. No key has this bit.
constexpr std::uint64_t kKept = std::uint64_t{1} << 63;

bool has_older_displaced(const Cell& cell) noexcept {
  for (const Cell* older = cell.older; older != nullptr; older = older->older)
    if (older->key == cell.key && older->displaced) return true;
  return false;
}

// Whether a guard has put a value in the place of an older one of the key. For what was set where a
// place is kept already, the answer does not matter, and is no.
bool has_displaced(const Cell& cell) noexcept {
  return cell.bind_depth != 0 && has_older_displaced(cell);
}

// Where there is a free entry.
template <class Entry>
void put(std::vector<Entry>& entries, const Entry& entry) noexcept {
  const std::size_t mask = entries.size() - 1;
  std::size_t i = place_of(entry.key, mask);
  while (entries[i].key != 0) i = (i + 1) & mask;
  entries[i] = entry;
}

}  // namespace

void* Arena::allocate_slowly(std::size_t rounded, std::size_t align) {
  if (!is_small(rounded, align)) return ::operator new(rounded, std::align_val_t{align});
  if (rest_ == nullptr) rest_ = std::make_unique<Rest>();
  Free*& head = rest_->free[rounded / kAlign];
  if (head != nullptr) {
    Free* const block = head;
    head = block->next;
    return block;
  }
  std::vector<Chunk>& chunks = rest_->chunks;
  if (chunks.empty() || chunks.back().used + rounded > kChunkBytes)
    chunks.push_back({std::make_unique_for_overwrite<std::byte[]>(kChunkBytes), 0});
  Chunk& chunk = chunks.back();
  void* const block = chunk.bytes.get() + chunk.used;
  chunk.used += rounded;
  return block;
}

void Arena::release_slowly(void* block, std::size_t rounded, std::size_t align) noexcept {
  if (!is_small(rounded, align) && !is_inline(block)) {
    ::operator delete(block, std::align_val_t{align});
    return;
  }
  if (rounded > kSmallMax) return;  // a large block of the inline part: back with the arena
  if (rest_ == nullptr) rest_.reset(new (std::nothrow) Rest);
  if (rest_ == nullptr) return;  // no memory for the list: the block is lost until the arena goes
  Free*& head = rest_->free[rounded / kAlign];
  head = new (block) Free{head};
}

std::uint64_t ValueMap::next_key() noexcept {
  // Relaxed: a number that nobody else has, and no more.
  static constinit std::atomic<std::uint64_t> last{0};
  return Homes::key(last.fetch_add(1, std::memory_order_relaxed) + 1);
}

Cell* ValueMap::find_in_overflow(std::uint64_t key) const noexcept {
  const std::size_t mask = overflow_->entries.size() - 1;
  for (std::size_t i = place_of(key, mask);; i = (i + 1) & mask) {
    const Entry& entry = overflow_->entries[i];
    if (entry.key == key) return entry.cell;
    if (entry.key == 0) return nullptr;
  }
}

ValueMap::Entry* ValueMap::overflow_entry(std::uint64_t key) noexcept {
  if (overflow_ == nullptr) return nullptr;
  const std::size_t mask = overflow_->entries.size() - 1;
  for (std::size_t i = place_of(key, mask);; i = (i + 1) & mask) {
    Entry& entry = overflow_->entries[i];
    if (entry.key == key) return &entry;
    if (entry.key == 0) return nullptr;
  }
}

Cell* ValueMap::exchange(Cell* cell) noexcept {
  const std::uint64_t key = cell->key;
  if (Homes::at(homes_.keys, key) == key) {
    Cell* const old = Homes::at(homes_.cells, key);
    put_home(cell);
    return old;
  }
  Entry* const entry = overflow_entry(key);
  if (entry == nullptr || entry->cell == nullptr) return nullptr;
  return std::exchange(entry->cell, cell);
}

void ValueMap::add_to_overflow(Cell* cell) {
  if (overflow_ == nullptr) {
    auto fresh = std::make_unique<Overflow>();
    fresh->entries.resize(kOverflowInitial);
    overflow_ = std::move(fresh);
  }
  if (overflow_->kept != 0) {
    if (Entry* const kept = overflow_entry(cell->key)) {
      kept->cell = cell;
      return;
    }
  }
  if ((overflow_->used + 1) * 3 > overflow_->entries.size() * 2) {
    std::vector<Entry> larger(overflow_->entries.size() * 2);
    for (const Entry& entry : overflow_->entries)
      if (entry.key != 0) put(larger, entry);
    overflow_->entries = std::move(larger);
  }
  put(overflow_->entries, {cell->key, cell});
  ++overflow_->used;
}

void ValueMap::erase_from_overflow(std::uint64_t key) noexcept {
  Entry* const entry = overflow_entry(key);
  if (entry->kept) {
    entry->cell = nullptr;
  } else {
    erase(*entry);
  }
}

void ValueMap::erase(Entry& entry) noexcept {
  std::vector<Entry>& entries = overflow_->entries;
  const std::size_t mask = entries.size() - 1;
  auto hole = static_cast<std::size_t>(&entry - entries.data());
  // Repairs the probe run (Knuth 6.4, algorithm R): an entry that would no longer be found from its
  // own place moves into the hole, which moves on to where that entry was.
  for (std::size_t i = (hole + 1) & mask; entries[i].key != 0; i = (i + 1) & mask) {
    const std::size_t distance_from_place = (i - place_of(entries[i].key, mask)) & mask;
    if (distance_from_place < ((i - hole) & mask)) continue;
    entries[hole] = entries[i];
    hole = i;
  }
  entries[hole] = {};
  --overflow_->used;
}

bool ValueMap::remove(std::uint64_t key) noexcept {
  Cell* const cell = find(key);
  if (cell == nullptr) return false;
  const bool comes_back = has_displaced(*cell);
  if (Homes::at(homes_.keys, key) == key) {
    Homes::at(homes_.keys, key) = comes_back ? key | kKept : 0;
  } else {
    if (Entry* const entry = overflow_entry(key); comes_back && !entry->kept) {
      entry->kept = true;
      ++overflow_->kept;
    }
    erase_from_overflow(key);
  }
  unlink(cell);
  destroy(cell);  // last: it runs user code, which may come back here
  return true;
}

void ValueMap::replace(Cell* old, Cell* fresh) noexcept {
  exchange(fresh);
  fresh->bind_depth = old->bind_depth;
  fresh->round = old->round;
  fresh->older = old->older;
  fresh->newer = old->newer;
  (fresh->older == nullptr ? oldest_ : fresh->older->newer) = fresh;
  (fresh->newer == nullptr ? newest_ : fresh->newer->older) = fresh;
  destroy(old);  // last: as in remove()
}

void ValueMap::displace(Cell* old, Cell* cell) noexcept {
  exchange(cell);
  old->displaced = true;
  link(cell);
}

// What was bound may have been removed meanwhile, and even set and removed again. Where it stood at
// the first removal, a place has been kept since: home, or in the overflow table.
void ValueMap::restore(Cell* displaced) noexcept {
  const std::uint64_t key = displaced->key;
  displaced->displaced = false;
  Cell* const bound = exchange(displaced);
  if (bound == nullptr) {
    const std::uint64_t home = Homes::at(homes_.keys, key);
    if (home == 0 || home == (key | kKept)) {
      // An older one may still be displaced: remove() must keep the home for that one as well.
      if (home != 0) displaced->bind_depth = std::max(displaced->bind_depth, 1U);
      put_home(displaced);
    } else {
      add_to_overflow(displaced);  // where the place is kept: nothing is allocated
    }
  }
  if (overflow_ != nullptr && overflow_->kept != 0 && !has_older_displaced(*displaced))
    keep_no_longer(key);
  if (bound == nullptr) return;
  unlink(bound);
  destroy(bound);  // last: as in remove()
}

void ValueMap::keep_no_longer(std::uint64_t key) noexcept {
  Entry* const entry = overflow_entry(key);
  if (entry == nullptr || !entry->kept) return;
  entry->kept = false;
  --overflow_->kept;
  if (entry->cell == nullptr) erase(*entry);
}

std::size_t ValueMap::clear_values() noexcept {
  // What has no destructor runs no user code, and need not be taken out one link after another.
  while (newest_ != nullptr && newest_->ops->destroy == nullptr) {
    Cell* const cell = newest_;
    newest_ = cell->older;
    if (!cell->displaced) erase_entry(cell->key);
    arena_.release_at_end(cell, cell->ops->cell_bytes, cell->ops->cell_align);
  }
  if (newest_ == nullptr) {
    oldest_ = nullptr;
    return 0;
  }
  newest_->newer = nullptr;
  for (round_ = 1; round_ <= kRounds && newest_ != nullptr; ++round_) {
    for (;;) {
      // What the destructors of this round make stands at the new end and waits for the next.
      Cell* cell = newest_;
      while (cell != nullptr && cell->round >= round_) cell = cell->older;
      if (cell == nullptr) break;
      if (!cell->displaced) erase_entry(cell->key);
      unlink(cell);
      destroy(cell);
    }
  }
  round_ = 0;
  return newest_ == nullptr ? 0 : abandon();
}

std::size_t ValueMap::abandon() noexcept {
  std::size_t abandoned = 0;
  for (; newest_ != nullptr; ++abandoned) {
    if (!newest_->displaced) erase_entry(newest_->key);
    unlink(newest_);
  }
  return abandoned;
}

}  // namespace carrel::scope
