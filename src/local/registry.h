// The registry: the process's variables and threads. The one piece of global state of Carrel.
//
// Threads: every function from any. Lifetime: constant-initialised and never destroyed, so that it
// serves the first static initialiser and the last destructor alike.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "carrel/local/internal/thread_block.h"
#include "local/slot.h"
#include "local/spin_lock.h"

namespace carrel::local {

// Makes the thread known and arranges for its values to end with it. Throws std::bad_alloc.
void register_thread(ThreadBlock& self);
void unregister_thread(ThreadBlock& self) noexcept;

class ThreadList {
 public:
  void add(ThreadBlock& block) noexcept;
  void remove(ThreadBlock& block) noexcept;
  // Calls `f` with every registered thread, under the list's lock: `f` must not allocate.
  template <class F>
  void for_each(F&& f) noexcept {
    lock_.lock();
    for (ThreadBlock* block = first_; block != nullptr; block = block->next) f(*block);
    lock_.unlock();
  }
  // For fork: no other thread is in the middle of a change meanwhile.
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }
  // In the child, with the lock held: forgets all threads but `self`.
  void keep_only(ThreadBlock& self) noexcept;

 private:
  SpinLock lock_;
  ThreadBlock* first_ = nullptr;
  std::uint64_t last_id_ = 0;
};
extern constinit ThreadList thread_list;

class SlotTable {
 public:
  [[nodiscard]] Slot& take();
  void give_back(Slot& slot) noexcept;
  [[nodiscard]] Slot& at(std::uint32_t number) const noexcept;
  // Slots that have been made so far; more may follow at once.
  [[nodiscard]] std::uint32_t made() const noexcept {
    // Acquire: whoever learns of a slot here sees its chunk.
    return made_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint32_t taken() const noexcept {
    return taken_.load(std::memory_order_relaxed);  // a figure
  }
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }

 private:
  static constexpr std::uint32_t kFirstChunkBits = 8;  // 256 slots, 16 KiB; each next one is double
  static constexpr std::uint32_t kChunks = 27 - kFirstChunkBits;
  static_assert(((std::uint32_t{1} << kChunks) - 1) << kFirstChunkBits <= Key::kSlotMax + 1);

  [[nodiscard]] Slot* make_chunk(std::uint32_t chunk);
  void add_taken(std::uint32_t by) noexcept {
    // Written under the lock only; relaxed: a figure.
    taken_.store(taken_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  SpinLock lock_;
  Slot* free_ = nullptr;
  std::atomic<std::uint32_t> made_{0};
  std::atomic<std::uint32_t> taken_{0};
  std::atomic<Slot*> chunks_[kChunks] = {};
};
extern constinit SlotTable slot_table;

inline Slot& SlotTable::at(std::uint32_t number) const noexcept {
  // Chunk c starts at 2^k (2^c - 1), with k the bits of the first.
  const std::uint32_t chunk =
      static_cast<std::uint32_t>(std::bit_width((number >> kFirstChunkBits) + 1)) - 1;
  const std::uint32_t start = ((std::uint32_t{1} << chunk) - 1) << kFirstChunkBits;
  // Acquire: sees the slots that make_chunk() has constructed.
  return chunks_[chunk].load(std::memory_order_acquire)[number - start];
}

// Values whose destructor will never run.
extern constinit std::atomic<std::size_t> abandoned_values;
// Counts the value, and keeps it where leak checkers find it: what it owns was reported already.
void keep_abandoned(Cell& cell) noexcept;

}  // namespace carrel::local
