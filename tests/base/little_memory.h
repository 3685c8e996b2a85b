// For tests of what happens where the system has no more threads, in processes of their own.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

namespace carrel::test {

// This process gets no more memory than `room` bytes from now on; the stack of a thread takes 8 MiB
// of them, as a rule.
inline void limit_memory_to(rlim_t room) {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + room;
  setrlimit(RLIMIT_AS, &limit);
}

}  // namespace carrel::test
