// WallClockJump: while it lives, the wall clock of this process is set wrong; the steady clock is
// not. It replaces the C library's functions, so that client libraries see it too.
//
//   const WallClockJump ahead(std::chrono::hours(10));
//
// One at a time, by any thread.
#pragma once

#include <chrono>

namespace carrel::test {

class WallClockJump {
 public:
  explicit WallClockJump(std::chrono::seconds by) noexcept;
  WallClockJump(const WallClockJump&) = delete;
  WallClockJump& operator=(const WallClockJump&) = delete;
  ~WallClockJump();
};

}  // namespace carrel::test
