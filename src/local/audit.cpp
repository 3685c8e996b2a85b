#include "carrel/local/internal/audit.h"

#include <iterator>
#include <optional>
#include <utility>

#include "local/describe.h"
#include "local/slot.h"
#include "local/sticky.h"
#include "local/without_memory.h"

namespace carrel::local {
namespace {

// The value's record and the epoch of its creation or last replacement.
struct Stamped {
  ValueRecord record;
  std::uint64_t stamp = 0;
};

// find_linked(), but for a value that its dying variable is destroying on another thread: that one
// is as good as gone.
Cell* find_live(Slot& slot, Key key, void* value, const ThreadBlock& self) noexcept {
  Cell* const cell = find_linked(slot, key, &Cell::of(value), self);
  // Relaxed: others change it under the slot's lock only, which is held.
  const bool live =
      cell != nullptr && cell->state.load(std::memory_order_relaxed) == CellState::live;
  return live ? cell : nullptr;
}

// What is recorded of this thread's value, if its variable lives.
std::optional<Stamped> record_of(ThreadBlock& self, Key key) {
  void* const value = self.map.find(key);
  if (value == nullptr) return std::nullopt;
  Slot& slot = slot_at(key.slot());
  Stamped result;
  const bool described = describe(slot, key, result.record, [&]() -> Cell* {
    Cell* const cell = find_live(slot, key, value, self);
    if (cell != nullptr) result.stamp = cell->stamp;
    return cell;
  });
  return described ? std::optional(std::move(result)) : std::nullopt;
}

// Whether the value of the log's entry was made or replaced since, and is no cache.
bool is_since(ThreadBlock& self, Key key, AuditMark mark) noexcept {
  void* const value = key.empty() ? nullptr : self.map.find(key);
  if (value == nullptr) return false;
  Slot& slot = slot_at(key.slot());
  slot.lock.lock();
  const Cell* const cell = find_live(slot, key, value, self);
  const bool since = cell != nullptr && cell->stamp >= mark.epoch && cell->stamp != Cell::kCache;
  slot.lock.unlock();
  return since;
}

}  // namespace

std::vector<ValueRecord> values_since(AuditMark mark) {
  ThreadBlock& self = thread_block;
  std::vector<ValueRecord> found;
  // Values follow each other in the log as they were created, so that one which is older than the
  // mark ends the search, unless an older one may have been replaced since.
  const bool search_all = self.map.last_replacement() >= mark.epoch;
  for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
    const Key key = self.map.log_key(i);
    if (key.empty()) continue;
    std::optional<Stamped> value = record_of(self, key);
    if (!value) continue;
    if (value->stamp >= mark.epoch) {
      if (value->record.lifetime == Lifetime::task) found.push_back(std::move(value->record));
    } else if (!search_all) {
      break;
    }
  }
  return {std::make_move_iterator(found.rbegin()), std::make_move_iterator(found.rend())};
}

std::vector<ValueRecord> values_of_this_thread() {
  ThreadBlock& self = thread_block;
  std::vector<ValueRecord> found;
  for (std::uint32_t i = 0; i < self.map.log_size(); ++i) {
    const Key key = self.map.log_key(i);
    if (key.empty()) continue;
    if (std::optional<Stamped> value = record_of(self, key)) {
      found.push_back(std::move(value->record));
    }
  }
  return found;
}

std::size_t count_since(AuditMark mark) noexcept {
  ThreadBlock& self = thread_block;
  std::size_t count = 0;
  for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
    if (i < self.map.log_size() && is_since(self, self.map.log_key(i), mark)) ++count;
  }
  return count;
}

std::size_t remove_since(AuditMark mark) noexcept {
  constexpr int kRounds = 8;  // as many as a thread's end grants
  ThreadBlock& self = thread_block;
  std::size_t removed = 0;
  for (int round = 0; round < kRounds; ++round) {
    const std::size_t before = removed;
    for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
      if (i >= self.map.log_size()) continue;  // a removal has shortened the log
      const Key key = self.map.log_key(i);
      if (is_since(self, key, mark) && remove_value(key)) ++removed;
    }
    if (removed == before) break;
  }
  return removed;
}

bool remove_value(Key key) noexcept {
  ThreadBlock& self = thread_block;
  void* const value = self.map.find(key);
  if (value == nullptr) return false;
  Slot& slot = slot_at(key.slot());
  slot.lock.lock();
  Cell* const cell = find_live(slot, key, value, self);
  const bool taken_by_other = cell == nullptr;
  const bool pinned = !taken_by_other && cell->pins != 0;
  if (pinned) {
    cell->owner = nullptr;
    cell->state.store(CellState::orphan, std::memory_order_relaxed);  // read under the lock
  } else if (!taken_by_other) {
    cell->runner = &self;
    cell->state.store(CellState::destroying, std::memory_order_relaxed);  // as above
  }
  slot.lock.unlock();
  if (taken_by_other) return false;
  self.map.erase(key);
  if (pinned) return true;
  run_destructor(self, *cell, Ending::removed);
  slot.lock.lock();
  unlink(slot, *cell);
  unlock_after_change(slot);
  self.pool.give_back(cell);
  return true;
}

}  // namespace carrel::local
