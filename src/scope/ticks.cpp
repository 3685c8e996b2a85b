#include "scope/ticks.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <string_view>

namespace carrel::scope {
namespace {

using namespace std::chrono_literals;

double nanoseconds_per_tick(const TickReading& origin, const TickReading& now) noexcept {
  return std::chrono::duration<double, std::nano>(now.time - origin.time).count() /
         static_cast<double>(now.ticks - origin.ticks);
}

#ifdef __x86_64__

TickReading read_both() noexcept {
  TickReading best{};
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

// Allocates nothing: the first scope may be opened where there is no memory left.
bool kernel_trusts_counter() noexcept {
  const int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                        O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char source[16];
  const ssize_t size = read(file, source, sizeof(source));
  close(file);
  return size > 0 && std::string_view(source, static_cast<std::size_t>(size)) == "tsc\n";
}

class TimeStampCounter {
 public:
  // Decides whether to trust, and measures the rate for a first time.
  void examine() noexcept {
    if (!kernel_trusts_counter()) return;
    origin_ = read_both();
    // The readings are off by some tens of nanoseconds: after 50 us, by a part in a thousand.
    while (std::chrono::steady_clock::now() - origin_.time < 50us) {
    }
    first_rate_ = nanoseconds_per_tick(origin_, read_both());
    nanoseconds_.store(first_rate_, std::memory_order_relaxed);  // before any use
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

  [[gnu::noinline]] [[gnu::cold]] double
  measure() noexcept {  // cold: else every task saves registers
    const double rate = plausible_rate(origin_, read_both(), first_rate_);
    nanoseconds_.store(rate, std::memory_order_relaxed);  // a rate on its own: see duration()
    return rate;
  }

  bool trusted_ = false;  // with the two that follow: before any use
  TickReading origin_{};
  double first_rate_ = 1;
  std::atomic<double> nanoseconds_{1};  // a tick
};

constinit TimeStampCounter counter;

#endif

}  // namespace

double plausible_rate(const TickReading& origin, const TickReading& now, double first) noexcept {
  constexpr double kDrift = 0.01;  // ten times what the first rate may be off by
  if (now.ticks <= origin.ticks) return first;
  const double rate = nanoseconds_per_tick(origin, now);
  return std::abs(rate / first - 1) > kDrift ? first : rate;
}

constinit std::atomic<Counter> counter_state{Counter::unknown};

bool examine_counter() noexcept {
  static const bool trusted = [] {  // by one thread; others wait here meanwhile
#ifdef __x86_64__
    counter.examine();
    const bool result = counter.trusted();
#else
    constexpr bool result = false;
#endif
    // Release: see is_counter_trusted().
    counter_state.store(result ? Counter::trusted : Counter::untrusted, std::memory_order_release);
    return result;
  }();
  return trusted;
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
