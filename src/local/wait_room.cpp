#include "local/wait_room.h"

#include <chrono>
#include <new>
#include <string_view>

#include "local/report.h"

namespace carrel::local {
namespace {

// How long a destructor may keep others waiting before that is reported as a likely deadlock.
constexpr std::chrono::seconds kPatience{5};

}  // namespace

WaitRoom& wait_room() noexcept {
  // Never destroyed: threads may end after the process's static objects.
  alignas(WaitRoom) static std::byte memory[sizeof(WaitRoom)];
  static WaitRoom* const room = ::new (memory) WaitRoom;
  return *room;
}

// The way that led to a slot: their locks are held.
struct WaitRoom::Step {
  const Slot* slot;
  const Step* before;

  [[nodiscard]] static bool contains(const Step* path, const Slot* slot) noexcept {
    for (; path != nullptr; path = path->before) {
      if (path->slot == slot) return true;
    }
    return false;
  }
};

// Whether one of the threads that run a destructor for `slot` waits, directly or through others,
// for `self`. The locks of the path's slots are held together; that is safe because only the holder
// of the room's lock ever holds two, and holders of one wait for nothing.
bool WaitRoom::leads_back(const ThreadBlock& self, Slot& slot, const Step* path) noexcept {
  if (Step::contains(path, &slot)) return false;
  const Step here{&slot, path};
  bool found = false;
  slot.lock.lock();
  for (Cell* cell = slot.holders; cell != nullptr && !found; cell = cell->next) {
    // Relaxed: the runner, which counts here, is guarded by the lock; see claim().
    if (cell->state.load(std::memory_order_relaxed) != CellState::destroying) continue;
    const ThreadBlock* const runner = cell->runner != nullptr ? cell->runner : cell->owner;
    if (runner == &self) {
      found = path != nullptr;  // one's own destructors do not keep one waiting
    } else if (runner->waiting_for != nullptr) {
      found = leads_back(self, *runner->waiting_for, &here);
    }
  }
  slot.lock.unlock();
  return found;
}

bool WaitRoom::wait_for_change(ThreadBlock& self, Slot& slot, std::string_view what) noexcept {
  // Relaxed: written under the lock that is held.
  const std::uint32_t seen = slot.changes.load(std::memory_order_relaxed);
  ++slot.waiters;
  slot.lock.unlock();
  bool waited = true;
  {
    std::unique_lock room(mutex_);
    self.waiting_for = &slot;
    waited = !leads_back(self, slot, nullptr);
    bool reported = false;
    // Relaxed: a change is made before its maker passes through the room's lock to wake.
    while (waited && slot.changes.load(std::memory_order_relaxed) == seen) {
      if (changed_.wait_for(room, kPatience) == std::cv_status::timeout && !reported) {
        reported = true;
        room.unlock();
        report("waiting for a destructor on another thread: ", what);
        room.lock();
      }
    }
    self.waiting_for = nullptr;
  }
  slot.lock.lock();
  --slot.waiters;
  return waited;
}

void WaitRoom::wake_all() noexcept {
  // Empty on purpose: a waiter is either before its check, and sees the change, or is waiting.
  {
    const std::lock_guard room(mutex_);
  }
  changed_.notify_all();
}

void WaitRoom::reset() noexcept {
  ::new (&changed_) std::condition_variable;
}

}  // namespace carrel::local
