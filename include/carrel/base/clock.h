// Clock: where time comes from, so that tests can move it.
//
// Anything with a time-out, an age or a date takes a `const Clock&`; production hands in
// `SystemClock::get()`, a test a ManualClock that it advances by hand instead of sleeping.
//
//   ManualClock clock;
//   Pool pool({.idle_max = 30s, .clock = &clock}, driver);
//   clock.advance(31s);                          // no test ever sleeps
//
// Threads: reading is safe from any thread, advancing too.
// Lifetime: a Clock outlives whatever was handed a reference to it.
#pragma once

#include <atomic>
#include <chrono>

namespace carrel {

class Clock {
 public:
  using Steady = std::chrono::steady_clock::time_point;  // for durations and deadlines
  using Wall = std::chrono::system_clock::time_point;    // for dates; may jump

  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  [[nodiscard]] virtual Steady steady_now() const noexcept = 0;
  [[nodiscard]] virtual Wall wall_now() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  // The operating system's clock. Stateless: one object serves the process.
  static const SystemClock& get() noexcept;

  [[nodiscard]] Steady steady_now() const noexcept override;
  [[nodiscard]] Wall wall_now() const noexcept override;
};

class ManualClock final : public Clock {
 public:
  // Starts at 2026-01-01T00:00:00Z, so that dates in tests read well.
  ManualClock() = default;

  void advance(std::chrono::nanoseconds by) noexcept;

  [[nodiscard]] Steady steady_now() const noexcept override;
  [[nodiscard]] Wall wall_now() const noexcept override;

 private:
  std::atomic<std::chrono::nanoseconds::rep> elapsed_ns_{0};
};

}  // namespace carrel
