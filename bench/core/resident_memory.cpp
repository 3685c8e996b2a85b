#include "bench/core/resident_memory.h"

#include <sys/prctl.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <source_location>

#include "carrel/base/assert.h"

namespace carrel::bench {

std::size_t resident_anonymous_bytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(
      std::fopen("/proc/self/smaps_rollup", "r"), &std::fclose);
  CARREL_ASSERT(file != nullptr, "/proc/self/smaps_rollup cannot be read");
  std::array<char, 256> line{};
  while (std::fgets(line.data(), line.size(), file.get()) != nullptr) {
    std::size_t kib = 0;
    if (std::sscanf(line.data(), "Anonymous: %zu kB", &kib) == 1) return kib * 1024;
  }
  base::assertion_failed("Anonymous:", "/proc/self/smaps_rollup has no such line",
                         std::source_location::current());
}

void refuse_huge_pages() {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

void use_heap_and_stack() {
  std::array<volatile char, std::size_t{32} * 1024> stack;
  for (std::size_t i = 0; i < stack.size(); i += 1024) stack[i] = 1;
  for (std::size_t size = 16; size <= 1024; size *= 2) {
    void* volatile block = std::malloc(size);
    std::free(block);
  }
}

}  // namespace carrel::bench
