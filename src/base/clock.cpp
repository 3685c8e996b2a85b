#include "carrel/base/clock.h"

namespace carrel {
namespace {

constexpr auto kManualEpoch = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};

// Made by the compiler and never destroyed: get() need not ask whether it is there yet, or still.
union Forever {
  constexpr Forever() noexcept : clock() {}
  ~Forever() {}
  SystemClock clock;
};
constinit Forever system_clock;

}  // namespace

const SystemClock& SystemClock::get() noexcept {
  return system_clock.clock;
}

Clock::Steady SystemClock::steady_now() const noexcept {
  return std::chrono::steady_clock::now();
}

Clock::Wall SystemClock::wall_now() const noexcept {
  return std::chrono::system_clock::now();
}

// Relaxed: a clock promises a value that was current at some moment of the call, and orders
// nothing else. Whoever needs to see a step advances the clock before starting the reader.
void ManualClock::advance(std::chrono::nanoseconds by) noexcept {
  elapsed_ns_.fetch_add(by.count(), std::memory_order_relaxed);
}

Clock::Steady ManualClock::steady_now() const noexcept {
  return Steady{std::chrono::nanoseconds{elapsed_ns_.load(std::memory_order_relaxed)}};
}

Clock::Wall ManualClock::wall_now() const noexcept {
  return Wall{kManualEpoch} + std::chrono::duration_cast<Wall::duration>(std::chrono::nanoseconds{
                                  elapsed_ns_.load(std::memory_order_relaxed)});
}

}  // namespace carrel
