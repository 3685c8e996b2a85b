#include "drivers/wall_clock.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <ctime>

namespace carrel::test {
namespace {

std::atomic<std::time_t> wrong_by_s{0};

std::timespec now(clockid_t clock) noexcept {
  std::timespec now{};
  ::syscall(SYS_clock_gettime, clock, &now);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) now.tv_sec += wrong_by_s.load();
  return now;
}

}  // namespace

WallClockJump::WallClockJump(std::chrono::seconds by) noexcept {
  wrong_by_s = by.count();
}

WallClockJump::~WallClockJump() {
  wrong_by_s = 0;
}

}  // namespace carrel::test

extern "C" {

int clock_gettime(clockid_t clock, std::timespec* time) noexcept {
  *time = carrel::test::now(clock);
  return 0;
}

int gettimeofday(timeval* time, void*) noexcept {
  const auto now = carrel::test::now(CLOCK_REALTIME);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1'000};
  return 0;
}

std::time_t time(std::time_t* time) noexcept {
  const auto seconds = carrel::test::now(CLOCK_REALTIME).tv_sec;
  if (time != nullptr) *time = seconds;
  return seconds;
}
}
