// A crowd: more threads than connections, borrowing for a fixed time, with the distribution of
// their waits.
//
// The time is fixed, and not the number of borrows: a line that has formed makes a borrow a hundred
// times as long as it was in a trial run, and threads that are starved show only while time passes.
#pragma once

#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace carrel::bench {

inline constexpr int kCrowd = 32;
inline constexpr std::chrono::milliseconds kCrowdTime{300};

// As if a statement ran: the connection is held while this thread waits for a server.
inline void hold(std::chrono::microseconds time) {
  if (time.count() == 0) return;
  const std::timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(time).count()};
  ::nanosleep(&pause, nullptr);
}

// Calls `once` on every thread until the time is over; gives what it returned, thread by thread.
template <class Once>
std::vector<std::vector<std::int64_t>> run_crowd(const Once& once) {
  std::vector<std::vector<std::int64_t>> waits_ns(kCrowd);
  std::atomic<bool> go{false};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (auto& mine : waits_ns) {
    threads.emplace_back([&] {
      // Else the kernel adds up to 50 us to every pause: as much again as is to be held.
      ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
      go.wait(false);
      while (!over.load(std::memory_order_relaxed)) mine.push_back(once());
    });
  }
  go = true;
  go.notify_all();
  std::this_thread::sleep_for(kCrowdTime);
  over = true;
  for (auto& thread : threads) thread.join();
  return waits_ns;
}

inline double percentile_us(std::vector<std::int64_t>& sorted_ns, double share) {
  const auto last = static_cast<double>(sorted_ns.size() - 1);
  return static_cast<double>(sorted_ns[static_cast<std::size_t>(last * share)]) / 1'000.0;
}

// Time on the wall a borrow, and percentiles of the wait. state.range(0): microseconds to hold.
template <class Borrow, class GiveBack>
void crowd(benchmark::State& state, const Borrow& borrow, const GiveBack& give_back) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::microseconds time(state.range(0));
  std::vector<std::int64_t> all_ns;
  for (auto _ : state) {
    const auto begun = Clock::now();
    const auto waits_ns = run_crowd([&]() -> std::int64_t {
      const auto asked = Clock::now();
      auto connection = borrow();
      const std::chrono::nanoseconds waited = Clock::now() - asked;
      hold(time);
      give_back(connection);
      return waited.count();
    });
    const std::chrono::duration<double> lasted = Clock::now() - begun;
    std::size_t borrows = 0;
    for (const auto& mine : waits_ns) {
      borrows += mine.size();
      all_ns.insert(all_ns.end(), mine.begin(), mine.end());
    }
    state.SetIterationTime(lasted.count() / static_cast<double>(borrows));
  }
  std::sort(all_ns.begin(), all_ns.end());
  state.counters["wait_p50_us"] = percentile_us(all_ns, 0.5);
  state.counters["wait_p99_us"] = percentile_us(all_ns, 0.99);
  state.counters["wait_p999_us"] = percentile_us(all_ns, 0.999);
  state.counters["wait_max_us"] = percentile_us(all_ns, 1);
}

}  // namespace carrel::bench
