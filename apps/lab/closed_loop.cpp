#include "lab/closed_loop.h"

#include <algorithm>
#include <latch>
#include <numeric>
#include <thread>

#include "carrel/base/error.h"

namespace carrel::lab {

using SteadyClock = std::chrono::steady_clock;

std::int64_t LoopResult::served_in_all() const noexcept {
  return std::accumulate(served.begin(), served.end(), std::int64_t{0});
}

std::int64_t LoopResult::failed_in_all() const noexcept {
  return std::accumulate(failed.begin(), failed.end(), std::int64_t{0});
}

std::int64_t LoopResult::threads_never_served() const noexcept {
  return std::ranges::count(served, 0);
}

double LoopResult::per_second() const noexcept {
  return static_cast<double>(served_in_all()) / seconds;
}

LoopResult run_closed_loop(std::size_t threads, std::chrono::milliseconds time,
                           const std::function<void(std::size_t thread)>& request,
                           const std::function<void(std::size_t thread)>& at_end) {
  LoopResult result{std::vector<std::int64_t>(threads), std::vector<std::int64_t>(threads), 0};
  std::latch ready(static_cast<std::ptrdiff_t>(threads) + 1);
  const auto loop = [&](std::size_t thread) {
    ready.arrive_and_wait();
    const auto end = SteadyClock::now() + time;
    std::int64_t served = 0;
    std::int64_t failed = 0;
    do {
      try {
        request(thread);
        ++served;
      } catch (const Error&) {
        ++failed;
      }
    } while (SteadyClock::now() < end);
    at_end(thread);
    result.served[thread] = served;  // each thread has places of its own; join() publishes them
    result.failed[thread] = failed;
  };
  std::vector<std::thread> running;
  for (std::size_t thread = 0; thread < threads; ++thread) running.emplace_back(loop, thread);
  ready.arrive_and_wait();
  const auto started = SteadyClock::now();
  for (std::thread& thread : running) thread.join();
  result.seconds = std::chrono::duration<double>(SteadyClock::now() - started).count();
  return result;
}

}  // namespace carrel::lab
