// ExitClock: how long a thread takes from the end of its function to the end of its thread-locals.
//
// Starting and joining a thread costs a hundred times what is measured here, so both ends are
// stamped inside the thread: the first by its last statement, the second by the destructor of a
// pthread key. glibc destroys native thread_locals first and then keys by rising number, in up to
// PTHREAD_DESTRUCTOR_ITERATIONS rounds; construct the clock after the variables are used once, so
// that its key comes last. While values are missing, the key sets itself again and stamps in a
// later round.
//
//   ExitClock clock(8);
//   double ns = clock.measure([&] { hold_eight_values(); });
//
// Only one thread at a time may exit with ExitValues.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>

namespace carrel::bench {

// What the threads hold: a counter that tells when it is destroyed.
struct ExitValue {
  std::uint64_t count = 0;
  ~ExitValue() { destroyed.store(destroyed.load(std::memory_order_relaxed) + 1); }

  // Written by the exiting thread, read after it is joined or by itself.
  static inline std::atomic<int> destroyed{0};
};

class ExitClock {
 public:
  explicit ExitClock(int values_held);
  ~ExitClock();

  ExitClock(const ExitClock&) = delete;
  ExitClock& operator=(const ExitClock&) = delete;

  // Runs `hold` on a new thread; the nanoseconds from its return to the thread's last destructor.
  [[nodiscard]] double measure(const std::function<void()>& hold);

 private:
  static void* run(void* clock);
  static void stamp(void* clock);

  const int values_held_;
  const std::function<void()>* hold_ = nullptr;
  int rounds_ = 0;
  std::chrono::steady_clock::time_point begin_, end_;
  pthread_key_t last_key_{};
};

}  // namespace carrel::bench
