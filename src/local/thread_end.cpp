// How a thread's values end, and how Carrel learns that the thread does.

#include "local/thread_end.h"

#include <pthread.h>

#include <array>
#include <new>
#include <string_view>

#include "local/fork.h"
#include "local/registry.h"
#include "local/report.h"
#include "local/slot.h"
#include "local/sticky.h"
#include "local/wait_room.h"

namespace carrel::local {

constinit thread_local ThreadBlock thread_block;

namespace {

// A destructor may make new values, whose destructors may make new values. After this many rounds
// what remains is abandoned and reported: never an endless loop, never a silent leak.
constexpr int kRounds = 8;

// What this thread is to do with a value of its own.
enum class Claim {
  destroy,           // linked, and now this thread's to destroy
  destroy_unlinked,  // its variable has died and left it to this thread
  leave,             // gone, or another thread's to destroy
};

// Whether the cell, which this thread's map named, is linked, holds a value, and nobody but this
// thread is at it. With the slot's lock held, which makes it right to look at the cell: the
// variable lives.
bool is_undisturbed(const Slot& slot, Key key, const Cell& cell) noexcept {
  // Relaxed, both: the lock is held, under which others change them.
  return slot.dying == nullptr &&
         slot.generation.load(std::memory_order_relaxed) == key.generation() &&
         cell.state.load(std::memory_order_relaxed) == CellState::live && cell.pins == 0;
}

// Called and left with the slot's lock held.
[[gnu::noinline]] [[gnu::cold]] Claim claim(ThreadBlock& self, Slot& slot, Key key,
                                            const Cell* cell) noexcept {
  Cell* linked = find_linked(slot, key, cell, self);
  // Relaxed, here and below: the lock is held, under which others change the state.
  while (linked != nullptr &&
         linked->state.load(std::memory_order_relaxed) == CellState::destroying) {
    // The dying variable is destroying it on another thread: no value outlives its thread.
    const std::string_view name = slot.info != nullptr ? slot.info->name : std::string_view{};
    if (!wait_room().wait_for_change(self, slot, name)) break;
    linked = find_linked(slot, key, cell, self);
  }
  if (linked == nullptr) return key.map_owns_value() ? Claim::destroy_unlinked : Claim::leave;
  if (linked->state.load(std::memory_order_relaxed) != CellState::live) return Claim::leave;
  if (linked->pins == 0) return Claim::destroy;
  linked->owner = nullptr;
  linked->state.store(CellState::orphan, std::memory_order_relaxed);
  return Claim::leave;
}

[[gnu::noinline]] [[gnu::cold]] void end_unlinked(ThreadBlock& self, Cell& cell) noexcept {
  run_destructor(self, cell, Ending::thread_exit);
  self.pool.give_back(&cell);
}

void end_value(ThreadBlock& self, Key key) noexcept {
  Slot& slot = slot_table.at(key.slot());
  // Out of the map before the destructor, which so finds no value of its variable. The cell is
  // maybe gone already: not to be touched before the claim.
  Cell& cell = Cell::of(self.map.extract(key));
  slot.lock.lock();
  if (!is_undisturbed(slot, key, cell)) [[unlikely]] {
    const Claim claimed = claim(self, slot, key, &cell);
    if (claimed != Claim::destroy) {
      slot.lock.unlock();
      if (claimed == Claim::destroy_unlinked) end_unlinked(self, cell);
      return;
    }
  }
  if (cell.destroy != nullptr) {
    cell.runner = &self;
    // Relaxed: read by others under the lock.
    cell.state.store(CellState::destroying, std::memory_order_relaxed);
    slot.lock.unlock();
    run_destructor(self, cell, Ending::thread_exit);
    slot.lock.lock();
  }
  unlink(slot, cell);
  unlock_after_change(slot);
  self.pool.give_back(&cell);
}

// Destroys what the thread holds now, newest first. What destructors make stays for the next round.
void end_round(ThreadBlock& self) noexcept {
  for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
    if (const Key key = self.map.log_key(i); !key.empty()) end_value(self, key);
  }
  self.map.hold_log_still(false);
  self.map.compact_log();
  self.map.hold_log_still(true);
}

void abandon_rest(ThreadBlock& self) noexcept {
  for (std::uint32_t i = self.map.log_size(); i-- > 0;) {
    const Key key = self.map.log_key(i);
    if (key.empty()) continue;
    Cell& cell = Cell::of(self.map.find(key));
    Slot& slot = slot_at(key.slot());
    std::array<char, 80> name{};
    slot.lock.lock();
    Cell* const linked = find_linked(slot, key, &cell, self);
    if (linked != nullptr) {
      if (slot.info != nullptr) slot.info->name.copy(name.data(), name.size() - 1);
      unlink(slot, *linked);
      unlock_after_change(slot);
    } else {
      slot.lock.unlock();
    }
    self.map.erase(key);
    if (linked == nullptr && !key.map_owns_value()) continue;
    keep_abandoned(cell);
    report("abandoned at its thread's end, since destructors made it again and again: ",
           name.data());
  }
}

// A C++ thread_local: destroyed when the thread ends, or the process if this is the thread that
// calls exit(), after every native thread_local that was made later. glibc allocates a record of
// it, and stops the program where it cannot; docs/adr/0017 says why it is used all the same.
class ThreadEnd {
 public:
  ThreadEnd() noexcept = default;
  ThreadEnd(const ThreadEnd&) = delete;
  ThreadEnd& operator=(const ThreadEnd&) = delete;
  ~ThreadEnd() {
    thread_block.guard_is_gone = true;
    end_thread(thread_block);
  }
  void arm() noexcept { armed_ = true; }

 private:
  bool armed_ = false;
};

// Native thread_local destructors that run later, and those of pthread keys, may still use
// thread-locals. Such values end in a pthread key's destructor: the last that a thread runs.
void end_late_values(void*) noexcept {
  end_thread(thread_block);
}

pthread_key_t late_key() {
  struct Key {
    Key() {
      if (pthread_key_create(&key, &end_late_values) != 0) throw std::bad_alloc();
    }
    pthread_key_t key{};
  };
  static const Key key;
  return key.key;
}

}  // namespace

void end_thread(ThreadBlock& self) noexcept {
  if (!self.registered) return;
  self.ending = true;
  drop_all_sticky(self);
  clear_stale_values(self);
  self.map.hold_log_still(true);
  for (int round = 0; round < kRounds && self.map.count() != 0; ++round) end_round(self);
  if (self.map.count() != 0) abandon_rest(self);
  self.map.hold_log_still(false);
  self.map.release_memory();
  self.pool.close();
  unregister_thread(self);
  self.ending = false;
}

void register_thread(ThreadBlock& self) {
  install_fork_handlers();
  if (self.guard_is_gone) {
    if (pthread_setspecific(late_key(), &self) != 0) throw std::bad_alloc();
  } else {
    thread_local ThreadEnd end;
    end.arm();
  }
  thread_list.add(self);
  self.pool.open();
  self.registered = true;
}

void unregister_thread(ThreadBlock& self) noexcept {
  thread_list.remove(self);
  self.registered = false;
}

}  // namespace carrel::local
