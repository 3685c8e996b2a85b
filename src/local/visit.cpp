// for_each_thread: visiting the values of all threads while they go on working.

#include "carrel/local/internal/variable.h"
#include "local/cell_pool.h"
#include "local/registry.h"
#include "local/slot.h"

namespace carrel::local {
namespace {

// One walk through a slot's holders. New cells are linked at the front, so the walk ends.
class Walk {
 public:
  Walk(ThreadBlock& self, Slot& slot) noexcept
      : self_(self), slot_(slot), frame_{&slot, nullptr, self.visit} {
    self.visit = &frame_;
    // Sequentially consistent: see claim_visited().
    slot.visitors.fetch_add(1, std::memory_order_seq_cst);
    slot.lock.lock();
    next_ = slot.holders;
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;
  ~Walk() {
    unpin();
    slot_.lock.unlock();
    // Release: what was done to the values comes before their owners see nobody here.
    slot_.visitors.fetch_sub(1, std::memory_order_release);
    self_.visit = frame_.outer;
  }

  // Pins the next live value and leaves the lock; nullptr at the end.
  [[nodiscard]] void* next() noexcept {
    unpin();
    for (Cell* cell = next_; cell != nullptr; cell = cell->next) {
      // Sequentially consistent: see claim_visited(). Also acquires the value from its owner.
      if (cell->state.load(std::memory_order_seq_cst) != CellState::live) continue;
      ++cell->pins;
      frame_.pinned = cell;
      unlocked_ = true;
      slot_.lock.unlock();
      return cell->value();
    }
    return nullptr;
  }

 private:
  // Takes the lock again, and finds where to go on. In a forked child the list is another one, and
  // the walk is over.
  void unpin() noexcept {
    if (unlocked_) slot_.lock.lock();
    unlocked_ = false;
    Cell* const cell = frame_.pinned;
    next_ = cell == nullptr ? (frame_.forked ? nullptr : next_) : cell->next;
    if (cell == nullptr) return;
    frame_.pinned = nullptr;
    --cell->pins;
    // Relaxed: made an orphan under the lock.
    if (cell->pins != 0 || cell->state.load(std::memory_order_relaxed) != CellState::orphan) return;
    cell->runner = &self_;
    // Relaxed: read by others under the lock.
    cell->state.store(CellState::destroying, std::memory_order_relaxed);
    slot_.lock.unlock();
    run_destructor(self_, *cell, Ending::removed);
    slot_.lock.lock();
    next_ = cell->next;
    unlink(slot_, *cell);
    if (slot_.waiters != 0) {
      unlock_after_change(slot_);
      slot_.lock.lock();
    }
    self_.pool.give_back(cell);
  }

  ThreadBlock& self_;
  Slot& slot_;
  RunningVisit frame_;
  Cell* next_ = nullptr;
  bool unlocked_ = false;
};

}  // namespace

void visit_values(Slot& slot, Key key, Visit visit, void* context) {
  if (key == Key::never()) used_after_death("for_each_thread");
  Walk walk(thread_block, slot);
  while (void* const value = walk.next()) visit(context, value);
}

VariableStatistics statistics_of(Slot& slot) noexcept {
  VariableStatistics statistics;
  slot.lock.lock();
  for (const Cell* cell = slot.holders; cell != nullptr; cell = cell->next) {
    // Relaxed: only counted.
    const bool empty = cell->state.load(std::memory_order_relaxed) == CellState::empty;
    ++(empty ? statistics.idle_cells : statistics.values);
    if (!empty) statistics.bytes += cell->bytes.load(std::memory_order_relaxed);
  }
  slot.lock.unlock();
  return statistics;
}

}  // namespace carrel::local
