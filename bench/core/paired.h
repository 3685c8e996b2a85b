// Ratios that a noisy machine does not spoil: two benchmarks measured side by side.
//
// Two figures that are taken one after the other differ also by what the machine did meanwhile: its
// frequency, the hypervisor, a neighbour on the same core. So a ratio is measured as one: a sample
// of each of the two, some twenty microseconds long, follows the other, and their quotient is one
// pair's; which of them comes first alternates. Of many pairs the median is the result, and the
// quartiles say how far it is to be trusted. bench/compare takes its goals from these.
//
//   offer("ThreadLocal_Set", [] { return timed(kBatch, [...] { set_loop(); }); });
//   register_ratios();        // Ratio/ThreadLocal_Set/over:ThreadLocal_Get/pointer, and so on
//
// Threads: all of it on the main thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace carrel::bench {

// Measures once; nanoseconds an operation.
using Sample = std::function<double()>;
// Prepares what is to be measured.
using MakeSample = std::function<Sample()>;

// Makes a benchmark available to register_ratios() under its name.
void offer(const std::string& name, MakeSample make);

// Registers a Ratio/... benchmark for each goal that is a quotient of two that have been offered.
void register_ratios();

inline constexpr std::chrono::microseconds kSampleTime{20};

template <class Batch>
[[nodiscard]] std::chrono::duration<double, std::nano> time_of(Batch& batch, int repeats) {
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) batch();
  return std::chrono::steady_clock::now() - begin;
}

// A sample that calls `batch`, which does so many operations, as often as kSampleTime takes.
template <class Batch>
[[nodiscard]] Sample timed(std::size_t operations, Batch batch) {
  int repeats = 1;
  while (time_of(batch, repeats) < kSampleTime) repeats *= 2;
  const double all = static_cast<double>(operations) * repeats;
  return [batch = std::move(batch), repeats, all]() mutable {
    return time_of(batch, repeats).count() / all;
  };
}

}  // namespace carrel::bench
