// What every change of a thread's values does with its pool of cells, inline; and
// AddressSanitizer's part in it: the value of a cell that is kept is poisoned, so that whoever
// still has a reference to it is told.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "carrel/local/internal/thread_block.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define CARREL_LOCAL_POISONS 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CARREL_LOCAL_POISONS 1
#endif
#ifdef CARREL_LOCAL_POISONS
#include <sanitizer/asan_interface.h>
#endif

namespace carrel::local {

// Bytes of a block by class, cell included: 8 below a multiple of 16, as malloc's blocks are.
inline constexpr std::size_t kClassBytes[] = {88, 120, 184, 312};
static_assert(sizeof(Cell) == 80);

// After the value has ended. A cell without a class is given back to malloc, which poisons it.
inline void poison_value([[maybe_unused]] Cell& cell) noexcept {
#ifdef CARREL_LOCAL_POISONS
  if (cell.size_class == CellPool::kNoClass) return;
  __asan_poison_memory_region(cell.value(), kClassBytes[cell.size_class] - sizeof(Cell));
#endif
}
// Before a value of that size begins. A small one is written as a word. No harm where the cell has
// no class.
inline void unpoison_value([[maybe_unused]] Cell& cell,
                           [[maybe_unused]] std::size_t size) noexcept {
#ifdef CARREL_LOCAL_POISONS
  __asan_unpoison_memory_region(cell.value(), std::max(size, sizeof(std::uint64_t)));
#endif
}

inline void CellPool::give_back(Cell* cell) noexcept {
  const std::uint8_t size_class = cell->size_class;
  if (size_class == kNoClass || closed_ || count_[size_class] == kIdleMax[size_class])
      [[unlikely]] {
    free_cell(cell);
    return;
  }
  poison_value(*cell);
  cell->next = idle_[size_class];
  idle_[size_class] = cell;
  ++count_[size_class];
}

}  // namespace carrel::local
