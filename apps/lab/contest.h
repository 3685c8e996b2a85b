// Contest: how long an access takes when so many threads do nothing else.
//
// Time is the processors', of all threads together: other programs on the machine disturb it least.
// What a thread sleeps while another holds a lock is not in it, so a contended lock looks better
// than it is. Contestants take turns, round by round, so that whatever disturbs them falls on all;
// the figure of each is the median of its rounds.
//
//   const Contest contest{.rounds = 5, .round_time = 15ms};
//   const std::vector<double> ns = contest.run(8, {lock_loop, get_loop});
//
// Threads: makes and ends its own. Errors: a loop must not throw.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace carrel::lab {

// Makes so many accesses on the calling thread.
using AccessLoop = std::function<void(std::size_t accesses)>;

struct Contest {
  std::size_t rounds = 5;
  std::chrono::microseconds round_time{15000};  // of each contestant; all threads loop throughout

  // Nanoseconds for an access, in the order of `loops`.
  [[nodiscard]] std::vector<double> run(std::size_t threads,
                                        const std::vector<AccessLoop>& loops) const;
};

// 1, 2, 4 and so on to `threads_max`.
[[nodiscard]] std::vector<std::size_t> doubling_threads(std::size_t threads_max);

}  // namespace carrel::lab
