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
inline constexpr int kCrowdConnections = 8;
inline constexpr std::chrono::milliseconds kCrowdTime{300};

// As if a statement ran: the connection is held while this thread waits for a server.
inline void hold(std::chrono::microseconds time) {
  if (time.count() == 0) return;
  const std::timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(time).count()};
  ::nanosleep(&pause, nullptr);
}

// One borrow: how long it waited, and how long the connection was then held in truth.
struct Borrow {
  std::int64_t waited_ns = 0;
  std::int64_t held_ns = 0;
};

// Calls `once` on every thread until the time is over; gives what it returned, thread by thread.
template <class Once>
std::vector<std::vector<Borrow>> run_crowd(const Once& once) {
  std::vector<std::vector<Borrow>> borrows(kCrowd);
  std::atomic<bool> go{false};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (auto& mine : borrows) {
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
  return borrows;
}

inline double percentile_us(std::vector<std::int64_t>& sorted_ns, double share) {
  const auto last = static_cast<double>(sorted_ns.size() - 1);
  return static_cast<double>(sorted_ns[static_cast<std::size_t>(last * share)]) / 1'000.0;
}

// Time on the wall a borrow, and percentiles of the wait. state.range(0): microseconds to hold.
//
// A pause ends later than it should where waking a thread takes long, and where the processors are
// busy. So what was held is measured as well: `held_us`, and `connections_busy`, the share of all
// connections' time in which they were held. Only near 1 are connections what was short; else a
// thread that is ready waits for a processor, which counts as waiting in a pool that has handed it
// a connection already, and as holding in one where it still has its own. `whole_p99_us`, from
// asking to giving back, counts it in both.
template <class Take, class GiveBack>
void crowd(benchmark::State& state, const Take& take, const GiveBack& give_back) {
  using Clock = std::chrono::steady_clock;
  const std::chrono::microseconds time(state.range(0));
  std::vector<std::int64_t> waits_ns;
  std::vector<std::int64_t> whole_ns;
  double held_s = 0;
  double lasted_s = 0;
  for (auto _ : state) {
    const auto begun = Clock::now();
    const auto borrows = run_crowd([&]() -> Borrow {
      const auto asked = Clock::now();
      auto connection = take();
      const auto had = Clock::now();
      hold(time);
      const auto done = Clock::now();
      give_back(connection);
      return {.waited_ns = std::chrono::nanoseconds(had - asked).count(),
              .held_ns = std::chrono::nanoseconds(done - had).count()};
    });
    const std::chrono::duration<double> lasted = Clock::now() - begun;
    const auto before = waits_ns.size();
    for (const auto& mine : borrows) {
      for (const auto& one : mine) {
        waits_ns.push_back(one.waited_ns);
        whole_ns.push_back(one.waited_ns + one.held_ns);
        held_s += static_cast<double>(one.held_ns) * 1e-9;
      }
    }
    lasted_s += lasted.count();
    state.SetIterationTime(lasted.count() / static_cast<double>(waits_ns.size() - before));
  }
  std::sort(waits_ns.begin(), waits_ns.end());
  std::sort(whole_ns.begin(), whole_ns.end());
  state.counters["wait_p50_us"] = percentile_us(waits_ns, 0.5);
  state.counters["wait_p99_us"] = percentile_us(waits_ns, 0.99);
  state.counters["wait_p999_us"] = percentile_us(waits_ns, 0.999);
  state.counters["wait_max_us"] = percentile_us(waits_ns, 1);
  state.counters["whole_p99_us"] = percentile_us(whole_ns, 0.99);
  state.counters["held_us"] = held_s * 1e6 / static_cast<double>(waits_ns.size());
  state.counters["connections_busy"] = held_s / (lasted_s * kCrowdConnections);
}

}  // namespace carrel::bench
