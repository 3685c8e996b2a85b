#include "local/slot.h"

#include "local/registry.h"
#include "local/wait_room.h"

namespace carrel::local {

Slot& slot_at(std::uint32_t number) noexcept {
  return slot_table.at(number);
}

void link(Slot& slot, Cell& cell) noexcept {
  cell.late = slot.dying != nullptr;
  cell.previous = nullptr;
  cell.next = slot.holders;
  if (slot.holders != nullptr) slot.holders->previous = &cell;
  slot.holders = &cell;
  cell.linked = true;
}

Cell* find_linked(Slot& slot, Key key, const Cell* cell, const ThreadBlock& owner) noexcept {
  // Relaxed: advanced under the lock that is held.
  const bool alive = slot.generation.load(std::memory_order_relaxed) == key.generation();
  if (alive && slot.dying == nullptr) return const_cast<Cell*>(cell);
  if (!alive && !slot.dead) return nullptr;
  for (Cell* linked = slot.holders; linked != nullptr; linked = linked->next) {
    if (linked == cell && linked->owner == &owner && linked->key == key) return linked;
  }
  return nullptr;
}

void unlock_and_tell(Slot& slot) noexcept {
  const bool awaited = slot.waiters != 0;
  const bool finished = slot.dead && slot.holders == nullptr;
  if (finished) slot.dead = false;
  slot.lock.unlock();
  if (awaited) wait_room().wake_all();
  if (finished) slot_table.give_back(slot);
}

}  // namespace carrel::local

namespace carrel {

Ending current_ending() noexcept {
  const local::RunningDestructor* const running = local::thread_block.destructor;
  return running == nullptr ? Ending::none : running->ending;
}

}  // namespace carrel
