#include "local/cell_pool.h"

#include <atomic>
#include <bit>
#include <new>

#include "local/memory.h"
#include "local/spin_lock.h"

namespace carrel::local {
namespace {

constexpr std::uint8_t kNoClass = CellPool::kNoClass;
constexpr std::size_t kMallocAlign = 16;

// What ending threads leave to beginning ones, since neither then asks malloc: an exit would spend
// a third of its time on giving memory back. About 14 KiB at most, in the whole process.
class Depot {
 public:
  void lock() noexcept { lock_.lock(); }
  void unlock() noexcept { lock_.unlock(); }
  [[nodiscard]] Cell* take(std::size_t size_class) noexcept {
    // Relaxed: a hint that it is worth taking the lock.
    if (size_class >= kClasses || count_[size_class].load(std::memory_order_relaxed) == 0) {
      return nullptr;
    }
    lock();
    Cell* const cell = first_[size_class];
    if (cell != nullptr) {
      first_[size_class] = cell->next;
      add(size_class, -1);
    }
    unlock();
    return cell;
  }
  // Takes the list of so many cells if there is room for them.
  [[nodiscard]] bool put(std::size_t size_class, Cell* cells, int count) noexcept {
    if (size_class >= kClasses) return false;
    Cell* last = cells;
    while (last->next != nullptr) last = last->next;
    lock();
    // Relaxed: written under the lock only.
    const bool fits = count_[size_class].load(std::memory_order_relaxed) + count <= kMax;
    if (fits) {
      last->next = first_[size_class];
      first_[size_class] = cells;
      add(size_class, count);
    }
    unlock();
    return fits;
  }

 private:
  static constexpr std::size_t kClasses = 2;
  static constexpr int kMax = 64;

  void add(std::size_t size_class, int by) noexcept {
    // Written under the lock only.
    count_[size_class].store(count_[size_class].load(std::memory_order_relaxed) + by,
                             std::memory_order_relaxed);
  }

  SpinLock lock_;
  Cell* first_[kClasses] = {};
  std::atomic<int> count_[kClasses] = {};
};
constinit Depot depot;

std::uint8_t class_of(std::size_t bytes, std::size_t align) noexcept {
  if (align > kMallocAlign) return kNoClass;
  for (std::uint8_t size_class = 0; size_class < std::size(kClassBytes); ++size_class) {
    if (bytes <= kClassBytes[size_class]) return size_class;
  }
  return kNoClass;
}

Cell* allocate_cell(std::size_t bytes, std::size_t align, std::uint8_t size_class) {
  std::size_t padding = 0;
  void* block = nullptr;
  if (align > kMallocAlign) {
    padding = (sizeof(Cell) + align - 1) / align * align - sizeof(Cell);
    block = allocate_aligned(padding + bytes, align);
  } else {
    block = allocate(size_class == kNoClass ? bytes : kClassBytes[size_class]);
  }
  if (block == nullptr) throw std::bad_alloc();
  Cell* const cell = ::new (static_cast<std::byte*>(block) + padding) Cell;
  cell->size_class = size_class;
  poison_value(*cell);
  cell->padding_shift =
      padding == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(std::countr_zero(align));
  return cell;
}

}  // namespace

Cell* CellPool::take(std::size_t size, std::size_t align) {
  const std::size_t bytes = sizeof(Cell) + size;
  const std::uint8_t size_class = class_of(bytes, align);
  Cell* cell = nullptr;
  if (size_class != kNoClass && idle_[size_class] != nullptr) {
    cell = idle_[size_class];
    idle_[size_class] = cell->next;
    --count_[size_class];
  } else {
    cell = depot.take(size_class);
    if (cell == nullptr) cell = allocate_cell(bytes, align, size_class);
  }
  unpoison_value(*cell, size);
  return cell;
}

void CellPool::free_cell(Cell* cell) noexcept {
  std::size_t padding = 0;
  if (cell->padding_shift != 0) {
    const std::size_t align = std::size_t{1} << cell->padding_shift;
    padding = (sizeof(Cell) + align - 1) / align * align - sizeof(Cell);
  }
  release(reinterpret_cast<std::byte*>(cell) - padding);
}

void CellPool::close() noexcept {
  closed_ = true;
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    if (idle_[size_class] == nullptr) continue;
    if (depot.put(size_class, idle_[size_class], count_[size_class])) idle_[size_class] = nullptr;
    while (Cell* const cell = idle_[size_class]) {
      idle_[size_class] = cell->next;
      free_cell(cell);
    }
    count_[size_class] = 0;
  }
}

void lock_depot() noexcept {
  depot.lock();
}

void unlock_depot() noexcept {
  depot.unlock();
}

}  // namespace carrel::local
