#include "carrel/local/internal/variable.h"

#include <cstring>
#include <string>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "local/age.h"
#include "local/registry.h"
#include "local/slot.h"
#include "local/sticky.h"

namespace carrel::local {

Registration register_variable(const VariableInfo& info) {
  Slot& slot = slot_table.take();
  slot.info = &info;
  const bool owned = info.reclaim == Reclaim::owner;
  if (owned) pin_library_of(reinterpret_cast<const void*>(info.destroy));
  // Relaxed: whoever uses the variable has learnt of it from this thread.
  const std::uint32_t generation = slot.generation.load(std::memory_order_relaxed);
  return {Key::make(slot.number, generation,
                    owned ? Ownership::map_only : Ownership::shared_with_variable),
          &slot};
}

Slot& slot_of(Key key) noexcept {
  return slot_at(key.slot());
}

void used_after_death(std::string_view variable) noexcept {
  const bool variable_lives = false;
  CARREL_ASSERT(variable_lives,
                "a thread-local was used after its destruction: " + std::string(variable));
  __builtin_unreachable();
}

NewValue::NewValue(Key key, Slot& slot, const VariableInfo& info)
    : key_(key), slot_(slot), info_(info) {
  if (key == Key::never()) used_after_death(info.name);
  ThreadBlock& self = this_thread();
  if (!self.registered) register_thread(self);
  self.map.reserve(key);
  insertions_ = self.map.insertions();
  forks_ = self.forks;
  cell_ = take_sticky(self, slot, key, info.room);
  if (cell_ == nullptr) cell_ = self.pool.take(info.room, info.align);
  cell_->bytes.store(info.size, std::memory_order_relaxed);  // a figure, until the value tells
}

void NewValue::discard() noexcept {
  ThreadBlock& self = this_thread();
  if (forks_ != self.forks) cell_->linked = false;  // a forked child has forgotten it
  const bool linked = cell_->linked;
  if (constructed_) {
    cell_->destroy = info_.destroy;
    // Claimed, so that the variable, which the destructor may destroy, leaves the cell to this
    // thread. Relaxed: nobody else knows of the value; the cell is not linked, or linked as empty.
    if (linked) cell_->state.store(CellState::destroying, std::memory_order_relaxed);
    run_destructor(self, *cell_, Ending::removed);
    // From here on `info_` may be gone. A child that the destructor has forked has linked the cell
    // again, as that of a running destructor.
  }
  if (linked) {
    finish_own(self, slot_, *cell_);
  } else {
    self.pool.give_back(cell_);
  }
}

namespace {

// Out of line, so that the common case saves no registers for it.
[[gnu::noinline]] void link_new(ThreadBlock& self, Key key, Slot& slot, const VariableInfo& info,
                                Cell& cell) noexcept {
  cell.owner = &self;
  cell.runner = nullptr;
  cell.key = key;
  cell.destroy = info.destroy;
  // Relaxed: the lock publishes it.
  cell.state.store(CellState::empty, std::memory_order_relaxed);
  slot.lock.lock();
  link(slot, cell);
  slot.lock.unlock();
}

// Puts the cell, whose value is complete, into the map, which has room for it.
[[gnu::always_inline]] inline void* publish_cell(ThreadBlock& self, Key key, Slot& slot,
                                                 const VariableInfo& info, Cell& cell) noexcept {
  cell.born.store(age_clock(), std::memory_order_relaxed);  // a figure
  if (info.lifetime == Lifetime::task) {
    cell.stamp = self.map.epoch();
    self.map.note_creation();
  } else {
    cell.stamp = Cell::kCache;
  }
  if (!cell.linked) link_new(self, key, slot, info, cell);
  // Release: a visitor that sees the cell live, and a dying variable, see the value.
  cell.state.store(CellState::live, std::memory_order_release);
  self.map.insert(key, cell.value());
  // Last, since it may run destructors, which may insert in turn.
  if (self.map.has_stale() || self.map.has_unowned()) clear_stale_values(self);
  return cell.value();
}

}  // namespace

void* insert_word(Key key, Slot& slot, const VariableInfo& info, std::uint64_t word) {
  if (key == Key::never()) used_after_death(info.name);
  ThreadBlock& self = this_thread();
  if (!self.registered) register_thread(self);
  self.map.reserve(key);
  Cell* cell = take_sticky(self, slot, key, info.room);
  if (cell == nullptr) cell = self.pool.take(info.room, info.align);
  std::memcpy(cell->value(), &word, sizeof(word));          // every cell has room for a word
  cell->bytes.store(info.size, std::memory_order_relaxed);  // a figure
  return publish_cell(self, key, slot, info, *cell);
}

void* NewValue::publish() {
  ThreadBlock& self = this_thread();
  if (insertions_ != self.map.insertions()) {  // the value's construction has used the map
    if (void* const present = self.map.find(key_)) return present;
    self.map.reserve(key_);
  }
  if (forks_ != self.forks) cell_->linked = false;  // a forked child has forgotten the link
  return publish_cell(self, key_, slot_, info_, *std::exchange(cell_, nullptr));
}

bool remove_value(Key key, Slot& slot, const VariableInfo& info) noexcept {
  if (key == Key::never()) used_after_death(info.name);
  ThreadBlock& self = this_thread();
  void* const value = self.map.find(key);
  if (value == nullptr) {
    end_unowned_values();
    return false;
  }
  Cell& cell = Cell::of(value);
  self.map.erase(key);
  if (!claim_own(slot, cell, info.visited)) return true;  // a visitor destroys it
  run_destructor(self, cell, Ending::removed);
  // From here on `info` may be gone: the value may have owned its variable.
  finish_own(self, slot, cell);
  return true;
}

void end_unowned_values_now() noexcept {
  clear_stale_values(this_thread());
}

void note_first_replacement(Cell& cell) noexcept {
  ThreadLocalMap& map = thread_block.map;
  cell.stamp = map.epoch();
  map.note_replacement(map.epoch());
}

Initialising::Initialising(Key key, std::string_view variable)
    : key_(key), outer_(thread_block.initialising) {
  for (const Initialising* running = outer_; running != nullptr; running = running->outer_) {
    if (running->key_ == key) {
      throw Error("recursive_initialiser",
                  "the initialiser of thread-local '" + std::string(variable) + "' reads it");
    }
  }
  thread_block.initialising = this;
}

Initialising::~Initialising() {
  thread_block.initialising = outer_;
}

}  // namespace carrel::local
