// Placement: which processor a process runs on, for as long as a measurement takes.
//
// Whoever wakes a process on a processor that sleeps pays for waking the processor. Where the
// scheduler happened to put two server processes therefore showed in their clients' processor time,
// by more than what was to be measured.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <thread>

namespace carrel::bench {

// Clients on the first processor, servers on the last: where there is one only, on that.
inline constexpr unsigned kClientProcessor = 0;
inline unsigned server_processor() noexcept {
  return std::thread::hardware_concurrency() - 1;
}

class Placement {
 public:
  // 0: the calling thread. Stays where it was, and says so, where that is not allowed.
  Placement(pid_t process, unsigned processor) noexcept : process_(process) {
    cpu_set_t wanted;
    CPU_ZERO(&wanted);
    CPU_SET(processor, &wanted);
    placed_ = ::sched_getaffinity(process_, sizeof before_, &before_) == 0 &&
              ::sched_setaffinity(process_, sizeof wanted, &wanted) == 0;
  }
  Placement(const Placement&) = delete;
  Placement& operator=(const Placement&) = delete;
  ~Placement() {
    if (placed_) static_cast<void>(::sched_setaffinity(process_, sizeof before_, &before_));
  }
  [[nodiscard]] bool placed() const noexcept { return placed_; }

 private:
  pid_t process_;
  cpu_set_t before_{};
  bool placed_ = false;
};

}  // namespace carrel::bench
