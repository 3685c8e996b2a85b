// Ticks: what the time of a scope is measured in, at a third of what reading the clock costs.
//
// Of the system's clock they are those of the processor's time-stamp counter, if the kernel takes
// its own steady time from it: then it runs at one rate, and together on all processors. Where it
// does not, and of every other Clock, they are nanoseconds. Each task reads them twice, and nothing
// else in opening and closing a scope takes as long. docs/adr/0008-scopes-count-ticks.md
//
//   const std::uint64_t began = ticks_now(clock);
//   work();
//   const std::chrono::nanoseconds took = ticks_between(began, ticks_now(clock), clock);
//
// Threads: from any. Errors: none. The first use of the system's clock takes 50 us, to measure the
// counter's rate; a duration is right to a part in a thousand, or 100 ns. A suspend of the machine
// that is too short to be told from drift makes that a part in a hundred.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

#include "carrel/base/clock.h"

namespace carrel::scope {

// Whether the system's steady clock is counted by the processor's counter.
enum class Counter : std::uint8_t { unknown, trusted, untrusted };
extern constinit std::atomic<Counter> counter_state;

// Asks the kernel, and measures the counter's rate, once. Whether it is trusted.
[[nodiscard]] bool examine_counter() noexcept;

[[nodiscard]] inline bool is_counter_trusted() noexcept {
  // Acquire: the rate is there.
  const Counter state = counter_state.load(std::memory_order_acquire);
  if (state == Counter::trusted) [[likely]]
    return true;
  return state == Counter::unknown && examine_counter();
}

[[nodiscard]] inline std::uint64_t ticks_now(const Clock& clock) noexcept {
#ifdef __x86_64__
  // The cheap unordered reading: what the processor moves past it takes some nanoseconds.
  if (&clock == &SystemClock::get() && is_counter_trusted()) [[likely]]
    return __rdtsc();
#endif
  return static_cast<std::uint64_t>(clock.steady_now().time_since_epoch().count());
}

// The counter and the system's steady clock at the same moment, nearly.
struct TickReading {
  std::uint64_t ticks = 0;
  Clock::Steady time{};
};

// Nanoseconds a tick, by two readings of which `origin` is the older; `first`, which was measured
// once, if that differs by more than the counter can have drifted. A suspend of the machine does
// it: the steady clock leaves the pause out, and the counter runs on or starts again.
[[nodiscard]] double plausible_rate(const TickReading& origin, const TickReading& now,
                                    double first) noexcept;

// Both of `clock`; zero if `end` is before `begin`.
[[nodiscard]] std::chrono::nanoseconds ticks_between(std::uint64_t begin, std::uint64_t end,
                                                     const Clock& clock) noexcept;

}  // namespace carrel::scope
