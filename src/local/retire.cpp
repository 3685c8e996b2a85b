// How a variable dies: every value of it is destroyed before its destructor returns.

#include "carrel/base/assert.h"
#include "local/registry.h"
#include "local/report.h"
#include "local/slot.h"
#include "local/sticky.h"
#include "local/wait_room.h"

namespace carrel::local {
namespace {

// As many as a thread's end grants; see thread_end.cpp.
constexpr int kRounds = 8;

struct Choice {
  Cell* cell = nullptr;        // to be taken next
  bool others_run = false;     // another thread runs a destructor, or a visitor holds a value
  bool anything_left = false;  // but for what this thread itself is destroying
};

// Values that destructors put while the variable dies are taken only when no destructor runs on
// another thread: it may be using the new value.
Choice choose(const ThreadBlock& self, const Slot& slot) noexcept {
  Choice choice;
  Cell* late = nullptr;
  for (Cell* cell = slot.holders; cell != nullptr; cell = cell->next) {
    // Acquire: sees the value that the owner has published with it.
    const CellState state = cell->state.load(std::memory_order_acquire);
    if (state == CellState::empty || (state == CellState::live && cell->pins == 0)) {
      (cell->late ? late : choice.cell) = cell;
    } else if (state != CellState::destroying ||
               (cell->runner != nullptr ? cell->runner : cell->owner) != &self) {
      choice.others_run = true;
    }
  }
  choice.anything_left = choice.cell != nullptr || late != nullptr || choice.others_run;
  if (choice.cell == nullptr && !choice.others_run) choice.cell = late;
  return choice;
}

// Takes one cell out of the world, its value with it. Called and left with the slot's lock held.
void take(ThreadBlock& self, Slot& slot, Cell& cell) noexcept {
  ThreadBlock* const owner = cell.owner;
  const bool own = owner == &self;
  // Relaxed: the lock is held, and the owner neither inserts nor removes while its variable dies.
  if (cell.state.load(std::memory_order_relaxed) == CellState::empty) {
    unlink(slot, cell);
    slot.lock.unlock();
    if (own) forget_sticky(self, cell);
    self.pool.give_back(&cell);
    slot.lock.lock();
    return;
  }
  if (!own && cell.key.map_owns_value()) {  // left to its owner
    unlink(slot, cell);
    owner->map.count_stale();
    return;
  }
  cell.runner = &self;
  cell.state.store(CellState::destroying, std::memory_order_relaxed);  // as above
  slot.lock.unlock();
  if (own) self.map.erase(cell.key);
  run_destructor(self, cell, Ending::variable_death);
  slot.lock.lock();
  unlink(slot, cell);
  if (!own) owner->map.count_stale();
  if (slot.waiters != 0) {
    unlock_after_change(slot);  // its owner is exiting, and waits
    slot.lock.lock();
  }
  self.pool.give_back(&cell);
}

// Called and left with the slot's lock held.
void abandon_values(ThreadBlock& self, Slot& slot) noexcept {
  for (Choice choice = choose(self, slot); choice.cell != nullptr; choice = choose(self, slot)) {
    Cell& cell = *choice.cell;
    ThreadBlock* const owner = cell.owner;
    unlink(slot, cell);
    if (owner != &self) owner->map.count_stale();
    slot.lock.unlock();
    if (owner == &self) self.map.erase(cell.key);
    keep_abandoned(cell);
    slot.lock.lock();
  }
}

// Whether the cell is the only one of its slot, this thread's, and needs no destructor.
bool is_simple(const ThreadBlock& self, const Cell& cell) noexcept {
  // Relaxed: the owner is this thread.
  const CellState state = cell.state.load(std::memory_order_relaxed);
  return cell.next == nullptr && cell.owner == &self && cell.pins == 0 &&
         (state == CellState::empty || (state == CellState::live && cell.destroy == nullptr));
}

// Gives an unlinked cell of this thread's back, and takes it out of the map.
void forget(ThreadBlock& self, Cell& cell) noexcept {
  if (cell.state.load(std::memory_order_relaxed) == CellState::empty) {  // as above
    forget_sticky(self, cell);
  } else {
    self.map.erase(cell.key);
  }
  self.pool.give_back(&cell);
}

void die(Slot& slot, Key key) noexcept {
  slot.info = nullptr;
  slot.dying = nullptr;
  slot.dead = true;
  // Release: see Slot::generation. The sum may be 0: the slot is then used up.
  slot.generation.store(key.generation() + 1, std::memory_order_release);
}

}  // namespace

void retire_variable(Slot& slot, Key key) noexcept {
  ThreadBlock& self = this_thread();
  for (const RunningVisit* visit = self.visit; visit != nullptr; visit = visit->outer) {
    CARREL_ASSERT(visit->slot != &slot, "a thread-local is destroyed by a visitor of its values");
  }
  slot.lock.lock();
  if (Cell* const cell = slot.holders; cell == nullptr || is_simple(self, *cell)) {
    // By far the most frequent: nobody but this thread holds a value, which needs no destructor.
    if (cell != nullptr) unlink(slot, *cell);
    die(slot, key);
    unlock_after_change(slot);
    if (cell != nullptr) forget(self, *cell);
    return;
  }
  slot.dying = &self;
  const std::string_view name = slot.info->name;
  std::size_t left_in_round = 0;
  int round = 0;
  for (;;) {
    const Choice choice = choose(self, slot);
    if (!choice.anything_left) break;
    if (choice.cell == nullptr) {
      if (!wait_room().wait_for_change(self, slot, name)) break;
      continue;
    }
    if (choice.cell->late && left_in_round == 0) {
      if (++round == kRounds) {
        slot.lock.unlock();
        report("destructors made values of a dying thread-local again and again: ", name);
        slot.lock.lock();
        abandon_values(self, slot);
        break;
      }
      for (Cell* cell = slot.holders; cell != nullptr; cell = cell->next) ++left_in_round;
    }
    if (choice.cell->late) --left_in_round;
    take(self, slot, *choice.cell);
  }
  die(slot, key);
  unlock_after_change(slot);
}

}  // namespace carrel::local
