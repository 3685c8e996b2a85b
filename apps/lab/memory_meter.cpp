#include "lab/memory_meter.h"

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <fstream>

#include "carrel/base/error.h"

// Of the sanitizers' run-time library; null when the program is linked without one.
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

namespace carrel::lab {
namespace {

constexpr int kMmapThreshold =
    128 * 1024;  // glibc's initial value (M_MMAP_THRESHOLD in mallopt(3))

std::int64_t live_bytes() {
  if (__sanitizer_get_current_allocated_bytes != nullptr)
    return static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes());
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<std::int64_t>(info.uordblks + info.hblkhd);  // from arenas, and by mmap
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages))
    throw Error("lab.no_statm", "cannot read /proc/self/statm, which tells resident memory");
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

MemoryUse memory_in_use() {
  return {live_bytes(), resident_bytes()};
}

void pin_mmap_threshold() {
  ::mallopt(M_MMAP_THRESHOLD, kMmapThreshold);
}

void release_free_memory() {
  ::malloc_trim(0);
}

Residency residency() noexcept {
  return __sanitizer_get_current_allocated_bytes != nullptr ? Residency::distorted_by_sanitizer
                                                            : Residency::follows_live_bytes;
}

}  // namespace carrel::lab
