// run_closed_loop(): so many threads, each sending its next request when the last one has ended.
//
//   const LoopResult result = run_closed_loop(8, 300ms, [&](std::size_t thread) {
//     serve(thread);                                   // a carrel::Error is a failed request
//   });
//   result.per_second();
//
// Threads: starts its own, lets them go together, and joins them.
// Errors: a carrel::Error that a request throws is counted as a failure; anything else ends the
// program.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace carrel::lab {

struct LoopResult {
  std::vector<std::int64_t> served;  // by thread
  std::vector<std::int64_t> failed;  // by thread
  double seconds = 0;                // from the start of the first to the end of the last request

  [[nodiscard]] std::int64_t served_in_all() const noexcept;
  [[nodiscard]] std::int64_t failed_in_all() const noexcept;
  [[nodiscard]] std::int64_t threads_never_served() const noexcept;
  [[nodiscard]] double per_second() const noexcept;
};

// Requests begin for so long; those under way then are waited for, and counted. `at_end` is called
// on each thread after its last request.
[[nodiscard]] LoopResult run_closed_loop(
    std::size_t threads, std::chrono::milliseconds time,
    const std::function<void(std::size_t thread)>& request,
    const std::function<void(std::size_t thread)>& at_end = [](std::size_t) {});

}  // namespace carrel::lab
