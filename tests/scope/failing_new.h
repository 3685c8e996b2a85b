// The program's operator new, by thread: counted, and made to fail from the test's word on.
#pragma once

#include <cstdint>

namespace carrel::failing_new {

inline thread_local std::uint64_t allocations = 0;
inline thread_local std::uint64_t failing_allocation = 0;  // the one with this number; 0: none
inline thread_local std::uint64_t failing_from = 0;        // and all from this one on; 0: none
// Called by every operator new and delete of this thread, but for those within the call itself.
inline thread_local void (*at_each)() = nullptr;

// This thread has no memory while it lives, but for the next `succeeding` allocations.
class NoMemory {
 public:
  explicit NoMemory(std::uint64_t succeeding = 0) { failing_from = allocations + succeeding + 1; }
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
  ~NoMemory() { failing_from = 0; }
};

}  // namespace carrel::failing_new
