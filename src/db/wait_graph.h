// WaitGraph: who holds connections while waiting for another, over all pools of the process.
//
// A wait is hopeless when everybody who could end it waits too: every connection of the lane waited
// for is held by a thread that is itself waiting for a lane whose connections are all held by such
// threads, and so on. Only the thread that closes such a circle can notice, at the moment it begins
// to wait; it is refused. Threads that hold nothing cannot close a circle and pay nothing.
//
// Only leases that stay on their thread are known here; any other counts as held by somebody who is
// running, so that no wait is refused wrongly.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

namespace carrel::db {

class Lane;

// A thread as a holder of connections. Lives as long as its thread.
struct Holder {
  Holder() = default;
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder();

  static Holder& of_this_thread() noexcept;

  // Written under the graph's mutex when a wait of one that holds something begins; null for all
  // others, since a traversal may still hold them for a holder. Cleared by whoever grants the
  // connection, before the grant shows, so that a reader who sees the grant sees a running holder.
  std::atomic<const Lane*> waiting_for{nullptr};
  int held = 0;       // this thread's own count
  std::string label;  // set when a wait begins, under the graph's mutex
};

namespace wait_graph {

// Held from before a holder begins to wait until the wait is found hopeful. One for the process:
// circles run through any pools.
[[nodiscard]] std::mutex& mutex() noexcept;

// With the mutex held: whether nobody who runs can ever end a wait for `lane`.
[[nodiscard]] bool is_hopeless(const Lane& lane);

// With the mutex held: the labels of those who hold `lane`, for the message.
[[nodiscard]] std::string holders_of(const Lane& lane);

}  // namespace wait_graph
}  // namespace carrel::db
