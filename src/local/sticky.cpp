#include "local/sticky.h"

#include <utility>

namespace carrel::local {
namespace {

StickyCell& place_of(ThreadBlock& self, Key key) noexcept {
  return self.sticky[key.slot() % ThreadBlock::kSticky];
}

void drop(ThreadBlock& self, StickyCell sticky) noexcept {
  if (sticky.cell == nullptr) return;
  Slot& slot = slot_at(sticky.key.slot());
  slot.lock.lock();
  Cell* const cell = find_linked(slot, sticky.key, sticky.cell, self);
  if (cell == nullptr) {  // its variable has died, and has freed it
    slot.lock.unlock();
    return;
  }
  unlink(slot, *cell);
  unlock_after_change(slot);
  self.pool.give_back(cell);
}

}  // namespace

Cell* take_sticky(ThreadBlock& self, const Slot& slot, Key key) noexcept {
  StickyCell& place = self.sticky[slot.number % ThreadBlock::kSticky];
  if (place.key != key) return nullptr;
  place.key = Key{};
  return std::exchange(place.cell, nullptr);
}

void keep_sticky(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  const Key key = cell.key;
  if (self.ending || cell.size_class == CellPool::kNoClass) {
    slot.lock.lock();
    unlink(slot, cell);
    unlock_after_change(slot);
    self.pool.give_back(&cell);
    return;
  }
  // Release: the variable's destructor, which frees the cell, sees that the value is gone.
  cell.state.store(CellState::empty, std::memory_order_release);
  // The newer one stays: a place that never changed hands could be blocked by one that is not used
  // any more.
  drop(self, std::exchange(place_of(self, key), StickyCell{key, &cell}));
}

void drop_all_sticky(ThreadBlock& self) noexcept {
  for (StickyCell& place : self.sticky) drop(self, std::exchange(place, StickyCell{}));
}

void forget_sticky(ThreadBlock& self, const Cell& cell) noexcept {
  StickyCell& place = place_of(self, cell.key);
  if (place.cell == &cell) place = StickyCell{};
}

bool claim_own(ThreadBlock&, Slot& slot, Cell& cell, bool visited) noexcept {
  if (!visited) {
    // Relaxed: no visitor ever looks, and the variable's destructor runs at no other time.
    cell.state.store(CellState::destroying, std::memory_order_relaxed);
    return true;
  }
  // Sequentially consistent, both, against the visitor, which raises the count and then reads the
  // state: one of the two sees the other. A release alone would let both miss each other.
  cell.state.exchange(CellState::destroying, std::memory_order_seq_cst);
  if (slot.visitors.load(std::memory_order_seq_cst) == 0) return true;
  slot.lock.lock();
  const bool pinned = cell.pins != 0;
  if (pinned) {
    cell.owner = nullptr;
    cell.state.store(CellState::orphan, std::memory_order_relaxed);  // read under the lock
  }
  slot.lock.unlock();
  return !pinned;
}

void finish_own(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  const Key key = cell.key;
  // Relaxed: if the variable has died, then within the destructor that has just run on this thread.
  if (slot.generation.load(std::memory_order_relaxed) == key.generation()) {
    keep_sticky(self, slot, cell);
    return;
  }
  slot.lock.lock();
  unlink(slot, cell);
  unlock_after_change(slot);
  self.pool.give_back(&cell);
}

void clear_stale_values(ThreadBlock& self) noexcept {
  if (!self.ending) self.map.clear_stale();  // a teardown deals with every entry itself
  for (Cell* cell = self.map.take_unowned(); cell != nullptr;) {
    Cell* const next = cell->next;
    run_destructor(self, *cell, Ending::variable_death);
    self.pool.give_back(cell);
    cell = next;
  }
}

}  // namespace carrel::local
