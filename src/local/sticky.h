// Removing and making values without the slot's lock: a removed value's cell stays linked in its
// slot, in one of eight places of its thread, and the next insertion of that variable finds it
// there. Two threads that make and drop values of one variable so do not meet at its lock.
#pragma once

#include <utility>

#include "carrel/local/internal/thread_block.h"
#include "local/cell_pool.h"
#include "local/slot.h"

namespace carrel::local {

// The variable's linked, empty cell, no longer kept; nullptr if there is none. `size` is that of
// the value to come.
[[nodiscard]] inline Cell* take_sticky(ThreadBlock& self, const Slot& slot, Key key,
                                       std::size_t size) noexcept {
  StickyCell& place = self.sticky[slot.number % ThreadBlock::kSticky];
  if (place.key != key) return nullptr;
  place.key = Key{};
  unpoison_value(*place.cell, size);
  return std::exchange(place.cell, nullptr);
}
// Unlinks what was kept, and gives it back.
void drop_sticky(ThreadBlock& self, StickyCell sticky) noexcept;
// Unlinks a cell and gives it back: after the destructor of a claimed cell has run and destroyed
// the variable itself, for instance.
void finish_dead(ThreadBlock& self, Slot& slot, Cell& cell) noexcept;
// Keeps an empty, linked cell of this thread's, or gives it back.
inline void keep_sticky(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  if (self.ending || cell.size_class == CellPool::kNoClass) {
    finish_dead(self, slot, cell);
    return;
  }
  poison_value(cell);
  // Release: the variable's destructor, which frees the cell, sees that the value is gone.
  cell.state.store(CellState::empty, std::memory_order_release);
  // The newer one stays: a place that never changed hands could be blocked by one that is not used
  // any more.
  StickyCell& place = self.sticky[cell.key.slot() % ThreadBlock::kSticky];
  const StickyCell older = std::exchange(place, StickyCell{cell.key, &cell});
  if (older.cell != nullptr) drop_sticky(self, older);
}
// Unlinks and gives back all that is kept.
void drop_all_sticky(ThreadBlock& self) noexcept;
// Forgets the cell, which the variable itself has unlinked.
void forget_sticky(ThreadBlock& self, const Cell& cell) noexcept;

// See claim_own().
[[nodiscard]] bool claim_visited(Slot& slot, Cell& cell) noexcept;
// Claims a live cell of this thread's, which is no longer in its map, for destruction. False if a
// visitor has pinned it: the visitor then destroys it.
[[nodiscard]] inline bool claim_own(Slot& slot, Cell& cell, bool visited) noexcept {
  if (!visited) {
    // Relaxed: no visitor ever looks, and the variable's destructor runs at no other time.
    cell.state.store(CellState::destroying, std::memory_order_relaxed);
    return true;
  }
  return claim_visited(slot, cell);
}
// After the destructor of a claimed cell has run.
inline void finish_own(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  // Relaxed: if the variable has died, then within the destructor that has just run on this thread.
  if (slot.generation.load(std::memory_order_relaxed) == cell.key.generation()) [[likely]] {
    keep_sticky(self, slot, cell);
  } else {
    finish_dead(self, slot, cell);
  }
}

// Clears stale entries of this thread's map and destroys the values that only it may destroy.
void clear_stale_values(ThreadBlock& self) noexcept;

}  // namespace carrel::local
