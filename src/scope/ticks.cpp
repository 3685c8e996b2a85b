#include "scope/ticks.h"

#include <atomic>
#include <fstream>
#include <string>

namespace carrel::scope {
namespace {

using namespace std::chrono_literals;

#ifdef __x86_64__

// The counter and the clock at the same moment, nearly.
struct Pair {
  std::uint64_t ticks;
  Clock::Steady time;
};

Pair read_pair() noexcept {
  Pair best{};
  std::uint64_t least = ~std::uint64_t{0};
  // Of a few, the one between whose two readings of the counter the least time passed: there was no
  // interrupt, and the clock's reading lies in the middle.
  for (int attempt = 0; attempt < 5; ++attempt) {
    const std::uint64_t before = __rdtsc();
    const Clock::Steady time = std::chrono::steady_clock::now();
    const std::uint64_t took = __rdtsc() - before;
    if (took >= least) continue;
    least = took;
    best = {before + took / 2, time};
  }
  return best;
}

bool kernel_trusts_counter() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return std::getline(file, source) && source == "tsc";
}

class Counter {
 public:
  // Decides whether to trust, and measures the rate for a first time.
  void examine() {
    if (!kernel_trusts_counter()) return;
    origin_ = read_pair();
    // The readings are off by some tens of nanoseconds: after 50 us, by a part in a thousand.
    while (std::chrono::steady_clock::now() - origin_.time < 50us) {
    }
    measure();
    trusted_ = true;
  }
  [[nodiscard]] bool trusted() const noexcept { return trusted_; }

  [[nodiscard]] std::chrono::nanoseconds duration(std::uint64_t ticks) noexcept {
    // Relaxed: whichever rate it sees is one that was measured.
    double took = static_cast<double>(ticks) * nanoseconds_.load(std::memory_order_relaxed);
    // The counter began before, so that over its whole run the rate is as right as two readings.
    if (took > kMeasureAgain) [[unlikely]]
      took = static_cast<double>(ticks) * measure();
    return std::chrono::nanoseconds(static_cast<std::int64_t>(took));
  }

 private:
  static constexpr double kMeasureAgain = 10e6;  // ns: beside that, measuring costs nothing

  double measure() noexcept {
    const Pair now = read_pair();
    const double rate = std::chrono::duration<double, std::nano>(now.time - origin_.time).count() /
                        static_cast<double>(now.ticks - origin_.ticks);
    nanoseconds_.store(rate, std::memory_order_relaxed);
    return rate;
  }

  bool trusted_ = false;  // with the origin: before any use
  Pair origin_{};
  std::atomic<double> nanoseconds_{1};  // a tick
};

constinit Counter counter;

#endif

}  // namespace

bool examine_counter() noexcept {
#ifdef __x86_64__
  counter.examine();
  return counter.trusted();
#else
  return false;
#endif
}

std::chrono::nanoseconds ticks_between(std::uint64_t begin, std::uint64_t end,
                                       const Clock& clock) noexcept {
  if (end <= begin) return 0ns;
#ifdef __x86_64__
  if (&clock == &SystemClock::get() && is_counter_trusted()) return counter.duration(end - begin);
#endif
  return std::chrono::nanoseconds(static_cast<std::int64_t>(end - begin));
}

}  // namespace carrel::scope
