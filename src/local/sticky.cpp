#include "local/sticky.h"

#include <utility>

namespace carrel::local {
namespace {

StickyCell& place_of(ThreadBlock& self, Key key) noexcept {
  return self.sticky[key.slot() % ThreadBlock::kSticky];
}

void drop(ThreadBlock& self, StickyCell sticky) noexcept {
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

void keep_sticky(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  if (self.ending || cell.size_class == CellPool::kNoClass) {
    finish_dead(self, slot, cell);
    return;
  }
  // Release: the variable's destructor, which frees the cell, sees that the value is gone.
  cell.state.store(CellState::empty, std::memory_order_release);
  // The newer one stays: a place that never changed hands could be blocked by one that is not used
  // any more.
  const StickyCell older = std::exchange(place_of(self, cell.key), StickyCell{cell.key, &cell});
  if (older.cell != nullptr) drop(self, older);
}

void drop_all_sticky(ThreadBlock& self) noexcept {
  for (StickyCell& place : self.sticky) {
    if (place.cell != nullptr) drop(self, std::exchange(place, StickyCell{}));
  }
}

void forget_sticky(ThreadBlock& self, const Cell& cell) noexcept {
  StickyCell& place = place_of(self, cell.key);
  if (place.cell == &cell) place = StickyCell{};
}

void finish_dead(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
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
