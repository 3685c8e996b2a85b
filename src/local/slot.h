// Slot: one variable's place in the process's table of variables.
//
// Slots are never freed and are used again by later variables under another generation, so that a
// key can be checked at any time without knowing whether its variable still exists.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "carrel/local/internal/cell.h"
#include "carrel/local/internal/variable.h"
#include "local/spin_lock.h"

namespace carrel::local {

struct alignas(64) Slot {
  SpinLock lock;
  // Advanced, by a release, under the lock when the variable dies. Whoever finds a key stale by an
  // acquire may so take over the value that the dying variable has left to it (Reclaim::owner).
  // 0: used up, no key ever has that.
  std::atomic<std::uint32_t> generation{1};
  // How many visits are under way. Sequentially consistent together with Cell::state: either the
  // visitor sees that the owner has claimed a cell, or the owner sees the visitor.
  std::atomic<std::uint32_t> visitors{0};
  // How often the list has changed in a way that somebody may wait for. Written under the lock,
  // read by waiters under the wait room's lock, which the writer passes through afterwards.
  std::atomic<std::uint32_t> changes{0};
  // The rest is guarded by the lock.
  Cell* holders = nullptr;
  const VariableInfo* info = nullptr;
  Slot* next_free = nullptr;  // guarded by the registry's lock
  std::uint32_t number = 0;   // constant
  std::uint32_t waiters = 0;
  ThreadBlock* dying = nullptr;  // the thread in retire_variable()
  bool dead = false;  // the variable is gone; cells that are being destroyed are still linked
};
static_assert(sizeof(Slot) == 64);

// The slot that a key names. The number must have been given out.
[[nodiscard]] Slot& slot_at(std::uint32_t number) noexcept;
[[nodiscard]] inline bool variable_is_dead(Key key) noexcept {
  // Acquire: see Slot::generation.
  return slot_at(key.slot()).generation.load(std::memory_order_acquire) != key.generation();
}

// The cell if it is still linked in the slot, else nullptr: then its variable has taken it, and the
// memory may be gone. With the lock held. O(1), or O(holders) while the variable is dying or, with
// values that are still being destroyed, dead.
[[nodiscard]] Cell* find_linked(Slot& slot, Key key, const Cell* cell,
                                const ThreadBlock& owner) noexcept;
// With the lock held.
void link(Slot& slot, Cell& cell) noexcept;
inline void unlink(Slot& slot, Cell& cell) noexcept {
  cell.linked = false;
  (cell.previous == nullptr ? slot.holders : cell.previous->next) = cell.next;
  if (cell.next != nullptr) cell.next->previous = cell.previous;
}

// The rest of unlock_after_change(), where there is anything to do.
void unlock_and_tell(Slot& slot) noexcept;
// Unlocks after a change that somebody may be waiting for: wakes them, and gives the slot back if
// its variable is dead and this was the last cell.
inline void unlock_after_change(Slot& slot) noexcept {
  // Only written under the lock: a load and a store suffice. Relaxed: see Slot::changes.
  slot.changes.store(slot.changes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (slot.waiters == 0 && !slot.dead) [[likely]] {
    slot.lock.unlock();
  } else {
    unlock_and_tell(slot);
  }
}

// This thread's block, at an address that stays in a register: gcc else asks for it anew before
// every use, twice five times in an insertion and removal.
[[nodiscard]] [[gnu::always_inline]] inline ThreadBlock& this_thread() noexcept {
  ThreadBlock* self = &thread_block;
  asm("" : "+r"(self));
  return *self;
}

// Runs the destructor of the cell's value on this thread, with no lock held.
inline void run_destructor(ThreadBlock& self, Cell& cell, Ending ending) noexcept {
  if (cell.destroy == nullptr) return;
  RunningDestructor running{&cell, ending, self.destructor};
  self.destructor = &running;
  cell.destroy(cell.value());
  self.destructor = running.outer;
}

}  // namespace carrel::local
