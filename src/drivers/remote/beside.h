// beside(): a call that nothing can end, made on a thread of its own and waited for until a
// deadline.
//
//   auto answer = beside(deadline, "resolving", [host] { return look_up(host); });
//   if (!answer) ...  // the deadline has passed; the thread goes on by itself
//
// begin_beside() only begins it, and several may then wait for one answer.
//
// Threads: what `work` touches must be its own or shared safely, since its caller may have left. An
// answer that comes too late is destroyed on the thread that made it.
#pragma once

#include <exception>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include "carrel/base/clock.h"
#include "carrel/db/sql_error.h"

namespace carrel::remote {

[[noreturn]] inline void throw_no_means(std::string_view what, std::string_view action) {
  throw SqlError("sql.cannot_connect", {.message = std::string(what).append(" for ").append(action),
                                        .traits = {.retryable = true}});
}

// The answer to come; nothing where there was not memory enough for it. `action` is for the message
// of an error: "sql.cannot_connect", where there is no thread.
template <class Work>
auto begin_beside(std::string_view action, Work work) {
  using Answer = std::optional<std::invoke_result_t<Work&>>;
  std::promise<Answer> promise;
  auto answer = promise.get_future();
  auto run = [work = std::move(work), promise = std::move(promise)]() mutable {
    Answer made;
    try {
      made.emplace(work());
    } catch (const std::exception&) {  // out of memory: nothing can be said but that it failed
    }
    promise.set_value(std::move(made));
  };
  try {
    std::thread(std::move(run)).detach();
  } catch (const std::system_error&) {
    throw_no_means("there is no thread to be had", action);
  }
  return answer;
}

// Throws as begin_beside(), and the same where there is no memory.
template <class Work>
auto beside(Clock::Steady deadline, std::string_view action, Work work) {
  auto answer = begin_beside(action, std::move(work));
  using Answer = decltype(answer.get());
  if (answer.wait_until(deadline) != std::future_status::ready) return Answer();
  auto made = answer.get();
  if (!made) throw_no_means("there is not memory enough", action);
  return made;
}

}  // namespace carrel::remote
