#include "local/registry.h"

#include <bit>
#include <new>

#include "local/memory.h"
#include "local/slot.h"

namespace carrel::local {

constinit ThreadList thread_list;
constinit SlotTable slot_table;
constinit std::atomic<std::size_t> abandoned_values{0};

void keep_abandoned(Cell& cell) noexcept {
  static constinit std::atomic<Cell*> kept{nullptr};
  // Relaxed: nobody ever reads what is kept; only the pointers must stay findable.
  cell.next = kept.load(std::memory_order_relaxed);
  while (!kept.compare_exchange_weak(cell.next, &cell, std::memory_order_relaxed)) {
  }
  abandoned_values.fetch_add(1, std::memory_order_relaxed);  // a figure
}

void ThreadList::add(ThreadBlock& block) noexcept {
  lock_.lock();
  block.id = ++last_id_;
  block.previous = nullptr;
  block.next = first_;
  if (first_ != nullptr) first_->previous = &block;
  first_ = &block;
  lock_.unlock();
}

void ThreadList::remove(ThreadBlock& block) noexcept {
  lock_.lock();
  (block.previous == nullptr ? first_ : block.previous->next) = block.next;
  if (block.next != nullptr) block.next->previous = block.previous;
  lock_.unlock();
}

void ThreadList::keep_only(ThreadBlock& self) noexcept {
  first_ = self.registered ? &self : nullptr;
  self.next = self.previous = nullptr;
}

Slot& SlotTable::take() {
  lock_.lock();
  if (Slot* const slot = free_) {
    free_ = slot->next_free;
    add_taken(1);
    lock_.unlock();
    return *slot;
  }
  for (;;) {
    const std::uint32_t number = made_.load(std::memory_order_relaxed);  // written under the lock
    const auto chunk =
        static_cast<std::uint32_t>(std::bit_width((number >> kFirstChunkBits) + 1)) - 1;
    if (chunks_[chunk].load(std::memory_order_relaxed) != nullptr) {  // written under the lock
      Slot& slot = at(number);
      slot.number = number;
      // Release: see made().
      made_.store(number + 1, std::memory_order_release);
      add_taken(1);
      lock_.unlock();
      return slot;
    }
    lock_.unlock();
    Slot* const fresh = make_chunk(chunk);
    lock_.lock();
    if (chunks_[chunk].load(std::memory_order_relaxed) == nullptr) {
      // Release: pairs with at().
      chunks_[chunk].store(fresh, std::memory_order_release);
    } else {
      lock_.unlock();
      release(fresh);  // another thread was faster
      lock_.lock();
    }
  }
}

Slot* SlotTable::make_chunk(std::uint32_t chunk) {
  if (chunk >= kChunks) throw std::bad_alloc();
  const std::size_t slots = std::size_t{1} << (chunk + kFirstChunkBits);
  auto* const memory = static_cast<Slot*>(allocate_aligned(slots * sizeof(Slot), alignof(Slot)));
  if (memory == nullptr) throw std::bad_alloc();
  for (std::size_t i = 0; i < slots; ++i) ::new (memory + i) Slot;
  return memory;
}

void SlotTable::give_back(Slot& slot) noexcept {
  // Relaxed: written by this thread, or under a lock that it has taken since. A slot whose
  // generation has come round to 0 is never used again, so that no key ever fits twice.
  const bool used_up = slot.generation.load(std::memory_order_relaxed) == 0;
  lock_.lock();
  add_taken(~std::uint32_t{0});
  if (!used_up) {
    slot.next_free = free_;
    free_ = &slot;
  }
  lock_.unlock();
}

}  // namespace carrel::local
