// How much memory this process uses: bytes live at the allocator, and bytes resident.
//
// Live bytes are what the allocator has handed out and not got back, asked of the allocator itself
// (glibc's mallinfo2; under a sanitizer, the sanitizer's own count). Replacing operator new would
// count as much, but would put a counter into every allocation of the whole program.
//
// Resident bytes are what the kernel has given us pages for (/proc/self/statm). They follow live
// bytes only if freed blocks go back to the kernel at once: glibc raises its mmap threshold to the
// largest block ever freed, so that the second 5 MiB would come from the heap and stay resident
// after it was freed. pin_mmap_threshold() fixes the threshold at its initial 128 KiB.
//
// Threads: safe from any. Errors: throws carrel::Error "lab.no_statm" where /proc is missing.
#pragma once

#include <cstdint>

namespace carrel::lab {

struct MemoryUse {
  std::int64_t live_bytes = 0;
  std::int64_t resident_bytes = 0;
};

[[nodiscard]] MemoryUse memory_in_use();

void pin_mmap_threshold();

// Gives free pages back to the kernel, so that a measurement does not inherit the last one's.
void release_free_memory();

// A sanitizer keeps freed memory in quarantine: resident bytes then say nothing about what is live.
enum class Residency { follows_live_bytes, distorted_by_sanitizer };
[[nodiscard]] Residency residency() noexcept;

}  // namespace carrel::lab
