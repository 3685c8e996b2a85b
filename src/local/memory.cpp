#include "local/memory.h"

#include <cstdlib>

namespace carrel::local {

void* allocate_zeroed(std::size_t bytes) noexcept {
  return std::calloc(1, bytes);
}

void* allocate(std::size_t bytes) noexcept {
  return std::malloc(bytes);
}

void* allocate_aligned(std::size_t bytes, std::size_t align) noexcept {
  return std::aligned_alloc(align, (bytes + align - 1) & ~(align - 1));
}

void release(void* memory) noexcept {
  std::free(memory);
}

}  // namespace carrel::local
