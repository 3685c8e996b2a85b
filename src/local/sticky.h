// Removing and making values without the slot's lock: a removed value's cell stays linked in its
// slot, in one of eight places of its thread, and the next insertion of that variable finds it
// there. Two threads that make and drop values of one variable so do not meet at its lock.
#pragma once

#include "carrel/local/thread_block.h"
#include "local/slot.h"

namespace carrel::local {

// The variable's linked, empty cell, no longer kept; nullptr if there is none.
[[nodiscard]] Cell* take_sticky(ThreadBlock& self, const Slot& slot, Key key) noexcept;
// Keeps an empty, linked cell of this thread's, or gives it back.
void keep_sticky(ThreadBlock& self, Slot& slot, Cell& cell) noexcept;
// Unlinks and gives back all that is kept.
void drop_all_sticky(ThreadBlock& self) noexcept;
// Forgets the cell, which the variable itself has unlinked.
void forget_sticky(ThreadBlock& self, const Cell& cell) noexcept;

// Claims a live cell of this thread's, which is no longer in its map, for destruction. False if a
// visitor has pinned it: the visitor then destroys it.
[[nodiscard]] bool claim_own(ThreadBlock& self, Slot& slot, Cell& cell, bool visited) noexcept;
// After the destructor of a claimed cell has run.
void finish_own(ThreadBlock& self, Slot& slot, Cell& cell) noexcept;

// Clears stale entries of this thread's map and destroys the values that only it may destroy.
void clear_stale_values(ThreadBlock& self) noexcept;

}  // namespace carrel::local
