#include "local/fork.h"

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <new>

#include "local/registry.h"
#include "local/slot.h"
#include "local/wait_room.h"

namespace carrel::local {
namespace {

// Between the handlers of one fork; guarded by the registry's locks, which are held.
constinit std::size_t values_of_others = 0;

// While these locks are held no other thread is in the middle of a change of the registry. The
// slots' own locks are not taken: there may be very many. The child makes its slots anew instead.
void before_fork() noexcept {
  wait_room().lock();
  thread_list.lock();
  slot_table.lock();
  lock_depot();
  values_of_others = 0;
  const std::uint32_t made = slot_table.made();
  for (std::uint32_t number = 0; number < made; ++number) {
    Slot& slot = slot_table.at(number);
    slot.lock.lock();
    for (const Cell* cell = slot.holders; cell != nullptr; cell = cell->next) {
      // Relaxed: only counted.
      const bool holds_value = cell->state.load(std::memory_order_relaxed) != CellState::empty;
      if (holds_value && cell->owner != &thread_block) ++values_of_others;
    }
    slot.lock.unlock();
  }
}

void after_fork_in_parent() noexcept {
  unlock_depot();
  slot_table.unlock();
  thread_list.unlock();
  wait_room().unlock();
}

void empty_all_slots() noexcept {
  const std::uint32_t made = slot_table.made();
  for (std::uint32_t number = 0; number < made; ++number) {
    Slot& slot = slot_table.at(number);
    slot.lock.reset();
    slot.holders = nullptr;
    // Relaxed: the child has one thread.
    slot.visitors.store(0, std::memory_order_relaxed);
    slot.waiters = 0;
  }
}

// Whether another thread, which does not exist here, was destroying the variable or has destroyed
// it. Relaxed, here and in the rest of the child's part: there is one thread.
bool is_lost(const ThreadBlock& self, const Slot& slot, Key key) noexcept {
  return slot.generation.load(std::memory_order_relaxed) != key.generation() ||
         (slot.dying != nullptr && slot.dying != &self);
}

void link_own_values(ThreadBlock& self) noexcept {
  self.map.hold_log_still(true);
  for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
    const Key key = self.map.log_key(i);
    if (key.empty()) continue;
    Slot& slot = slot_at(key.slot());
    if (!is_lost(self, slot, key)) {
      Cell& cell = Cell::of(self.map.find(key));
      cell.pins = 0;
      const bool late = cell.late;
      link(slot, cell);
      cell.late = late;
    } else if (slot.generation.load(std::memory_order_relaxed) == key.generation()) {
      self.map.erase(key);
    }
  }
  self.map.hold_log_still(self.ending);
  for (StickyCell& sticky : self.sticky) {
    if (sticky.cell == nullptr) continue;
    Slot& slot = slot_at(sticky.key.slot());
    if (is_lost(self, slot, sticky.key)) {
      sticky = StickyCell{};
    } else {
      link(slot, *sticky.cell);
    }
  }
  // Destructors that this thread is running go on here, and unlink their cells when they end.
  for (RunningDestructor* running = self.destructor; running != nullptr; running = running->outer) {
    if (!running->cell->linked) continue;
    running->cell->owner = &self;
    link(slot_at(running->cell->key.slot()), *running->cell);
  }
}

void after_fork_in_child() noexcept {
  ThreadBlock& self = thread_block;
  ++self.forks;
  self.waiting_for = nullptr;
  thread_list.keep_only(self);
  empty_all_slots();
  link_own_values(self);
  self.map.recount_stale();
  for (RunningVisit* visit = self.visit; visit != nullptr; visit = visit->outer) {
    visit->slot->visitors.fetch_add(1, std::memory_order_relaxed);
    visit->pinned = nullptr;
    visit->forked = true;
  }
  abandoned_values.fetch_add(values_of_others, std::memory_order_relaxed);
  wait_room().reset();
  after_fork_in_parent();
}

}  // namespace

void install_fork_handlers() {
  struct Handlers {
    Handlers() {
      wait_room();  // made now, so that a handler need not
      if (pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child) != 0) {
        throw std::bad_alloc();
      }
    }
  };
  static const Handlers installed;
}

}  // namespace carrel::local
