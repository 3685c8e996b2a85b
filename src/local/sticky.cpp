#include "local/sticky.h"

#include <utility>

namespace carrel::local {
namespace {

StickyCell& place_of(ThreadBlock& self, Key key) noexcept {
  return self.sticky[key.slot() % ThreadBlock::kSticky];
}

}  // namespace

void drop_sticky(ThreadBlock& self, StickyCell sticky) noexcept {
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

bool claim_visited(Slot& slot, Cell& cell) noexcept {
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

void drop_all_sticky(ThreadBlock& self) noexcept {
  for (StickyCell& place : self.sticky) {
    if (place.cell != nullptr) drop_sticky(self, std::exchange(place, StickyCell{}));
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
