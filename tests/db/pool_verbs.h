// The words that the tests of the pool speak in.
#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "base/code_of.h"
#include "carrel/db/pool.h"
#include "db/stub_driver.h"

namespace carrel::test {

inline Clock::Steady soon(std::chrono::milliseconds time) {
  return Clock::Steady::clock::now() + time;
}

inline int number_of(const Pool::Lease& lease) {
  return dynamic_cast<StubConnection&>(*lease).number();
}

inline void break_connection(const Pool::Lease& lease) {
  dynamic_cast<StubConnection&>(*lease).break_now();
}

inline void wait_until_waiting(const Pool& pool, std::size_t count) {
  while (pool.stats().waiting != count) std::this_thread::yield();
}

inline PoolOptions options(std::size_t size) {
  return {.name = "test",
          .size_max = size,
          .acquire_max = std::chrono::seconds(60),
          .maintain_every = std::chrono::milliseconds(0)};
}

}  // namespace carrel::test
