#include "lab/contest.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "lab/crew.h"

namespace carrel::lab {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kBatch = 1024;  // accesses between two looks at the clock

std::int64_t processor_time_of_this_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

// All threads loop at the same time for `round`. Nanoseconds of processor time for an access.
double time_of_an_access(Crew& crew, const AccessLoop& loop, std::chrono::microseconds round) {
  std::atomic<std::int64_t> time_ns = 0;
  std::atomic<std::int64_t> accesses = 0;
  const auto end = SteadyClock::now() + round;
  crew.each([&](std::size_t /*n*/) {
    const std::int64_t started = processor_time_of_this_thread();
    std::int64_t batches = 0;
    do {
      loop(kBatch);
      ++batches;
    } while (SteadyClock::now() < end);
    time_ns += processor_time_of_this_thread() - started;
    accesses += batches * static_cast<std::int64_t>(kBatch);
  });
  return static_cast<double>(time_ns) / static_cast<double>(accesses);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

std::vector<double> Contest::run(std::size_t threads, const std::vector<AccessLoop>& loops) const {
  Crew crew(threads);
  // Whoever has to make a value at the first access of a thread, does so now.
  for (const AccessLoop& loop : loops) crew.each([&](std::size_t /*n*/) { loop(kBatch); });
  std::vector<std::vector<double>> measured(loops.size());
  for (std::size_t round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < loops.size(); ++i)
      measured[i].push_back(time_of_an_access(crew, loops[i], round_time));
  std::vector<double> medians;
  for (const std::vector<double>& of_one : measured) medians.push_back(median(of_one));
  return medians;
}

std::vector<std::size_t> doubling_threads(std::size_t threads_max) {
  std::vector<std::size_t> numbers;
  for (std::size_t threads = 1; threads <= threads_max; threads *= 2) numbers.push_back(threads);
  return numbers;
}

}  // namespace carrel::lab
