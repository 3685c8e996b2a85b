// A resolver of the test's own: getaddrinfo, as the drivers and their client libraries call it, for
// names that no machine knows.
//
//   "*.carrel.test"     is 127.0.0.1
//   "slow*.carrel.test" is 127.0.0.1 too, once a SlowResolver ends
//
// All other names go to the system's. For programs that link own_resolver.cpp.
#pragma once

#include <cstddef>

namespace carrel::test {

// How often such names were asked for so far.
[[nodiscard]] std::size_t resolved();

// While it lives, nobody learns where such a host is. Its end lets everybody go on who asks.
class SlowResolver {
 public:
  SlowResolver();
  SlowResolver(const SlowResolver&) = delete;
  SlowResolver& operator=(const SlowResolver&) = delete;
  ~SlowResolver();

  // Callers that it keeps waiting.
  [[nodiscard]] static std::size_t waiting();
};

}  // namespace carrel::test
