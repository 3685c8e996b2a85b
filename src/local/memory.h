// Where the local layer's memory comes from: malloc, and not operator new, so that a replaced
// operator new may itself use a ThreadLocal.
#pragma once

#include <cstddef>

namespace carrel::local {

// Zeroed memory; nullptr if there is none.
[[nodiscard]] void* allocate_zeroed(std::size_t bytes) noexcept;
[[nodiscard]] void* allocate(std::size_t bytes) noexcept;
// `align` is a power of two above that of malloc.
[[nodiscard]] void* allocate_aligned(std::size_t bytes, std::size_t align) noexcept;
void release(void* memory) noexcept;

}  // namespace carrel::local
