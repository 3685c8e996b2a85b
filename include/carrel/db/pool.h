// Pool: keeps connections open and lends them, first come, first served.
//
// A session borrows by itself. Use borrow() directly in tools that need no scope:
//
//   Pool pool({.name = "consumer"}, *driver);
//   {
//     Pool::Lease connection = pool.borrow();
//     connection->execute("delete from job where done");
//   }                                                     // back in the pool
//
// While nobody waits, borrowing and returning are one compare-and-swap each. As soon as somebody
// waits, connections are handed over in order of arrival; nobody overtakes. A waiter sleeps, it
// does not spin.
//
// On a database with a single writer (SQLite) one connection of the pool writes and the others
// read: borrow({.access = Access::read_only}) asks for a reader.
//
// Threads: all functions are safe from any; a Lease is used by one thread at a time.
// Lifetime: the driver outlives the pool, the pool its leases (asserted).
// Errors: "pool.timeout" (retryable), "pool.closed", "would_deadlock", "pool.too_large" at
// construction; and what Driver::connect throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/base/clock.h"
#include "carrel/db/connection.h"

namespace carrel {

class PoolGroup;

namespace db {
struct Slot;
}

// A connection that somebody has kept for longer than PoolOptions::leak_after.
struct LeakReport {
  std::string pool;
  std::string borrower;  // what PoolOptions::label said when it was borrowed
  std::chrono::milliseconds held{};
  bool returned = false;  // false: still out; true: came back late
  // What the borrower does with it.
  std::uint64_t calls = 0;  // begun since it was borrowed
  bool in_call = false;     // one runs at this moment; else the connection is held for nothing
  // Where it was borrowed, innermost call first, where PoolOptions::leak_frames asks for it. Names
  // need the program to be linked with -rdynamic; else there are addresses for addr2line.
  std::vector<std::string> stack = {};
};

struct PoolOptions {
  // Essential
  std::string name = "pool";
  std::size_t size_max = 0;  // connections, a writer included; 0: the driver's default
  std::chrono::milliseconds acquire_max{5'000};

  // Frequent
  std::size_t size_min = 1;                       // opened at start, and kept
  std::chrono::milliseconds idle_max{600'000};    // closed after idling so long; 0: never
  std::chrono::milliseconds life_max{1'800'000};  // closed at that age; 0: never. Remote only
  std::chrono::milliseconds leak_after{0};        // report who holds one longer; 0: off
  std::size_t leak_frames = 0;                    // of the borrower's stack, at most 24; 0: none
  std::function<std::string_view()> label = nullptr;  // names the borrower; cheap, never throws
  std::function<void(const LeakReport&)> on_leak = nullptr;  // default: a line on stderr

  // Rare
  double life_jitter = 0.1;  // at most this share of life_max is taken off, so that not all end at
                             // once; 0 to 1
  std::chrono::milliseconds validate_after{1'000};  // ask for a sign of life after idling so long
  std::chrono::milliseconds keepalive_every{120'000};  // the same while nobody borrows; 0: never
  std::size_t connecting_max = 2;                      // connections being opened at a time
  std::chrono::milliseconds maintain_every{1'000};     // 0: only when maintain() is called
  bool connect_at_start = true;  // false: nothing is asked of the server before the first borrower,
                                 // who meets the errors; nor is size_max held against its limit
  const Clock* clock = &SystemClock::get();  // for ages, and for when to connect again after a
                                             // failure; waiting is by the steady clock
  PoolGroup* group = nullptr;  // shares a total with other pools, see pool_group.h; size_min,
                               // connect_at_start and maintain_every are then the group's affair
};

struct BorrowOptions {
  Access access = Access::read_write;
  Clock::Steady deadline = kNoDeadline;  // the earlier of this and acquire_max counts
  // The lease stays on this thread, so that waiting for oneself (or in a circle) can be told and
  // refused with "would_deadlock".
  bool stays_on_thread = false;
};

struct PoolStats {
  std::size_t size = 0;  // open, or being opened or closed
  std::size_t active = 0;
  std::size_t idle = 0;
  std::size_t waiting = 0;
  std::uint64_t borrowed = 0;
  std::uint64_t waited = 0;  // borrows that had to wait
  std::uint64_t timeouts = 0;
  std::uint64_t deadlocks_refused = 0;
  std::uint64_t created = 0;
  std::uint64_t connect_failures = 0;
  std::uint64_t closed_broken = 0;
  std::uint64_t closed_idle = 0;
  std::uint64_t closed_life = 0;
  std::uint64_t closed_invalid = 0;
  std::uint64_t closed_for_group = 0;  // so that another pool of the group could open one
  std::uint64_t closed_drained = 0;    // because of drain()
  std::uint64_t leaks = 0;
  std::chrono::nanoseconds wait_time{};  // in line, of all that waited
  std::uint64_t measured = 0;            // loans that have ended and were timed: one in 64
  std::chrono::nanoseconds use_time{};   // how long those lasted
  // For every place in the pool: the share of the time on loan in which SQL ran, from one borrow in
  // 64. Holding connections idle is the commonest waste. 0 where nothing was sampled yet.
  std::vector<double> utilisation;
};

class Pool {
 public:
  class Lease;

  Pool(PoolOptions options, Driver& driver);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();

  [[nodiscard]] Lease borrow(const BorrowOptions& options = {});

  // Refuses new borrowers, waits until all leases are back or the deadline passes, and closes what
  // is idle. Returns whether everything came back.
  bool drain(Clock::Steady deadline);

  // Closes what is too old or idle too long, sends keepalives, reports leaks. A thread of the
  // pool's own does this every maintain_every.
  void maintain();

  [[nodiscard]] PoolStats stats() const;
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] const Driver::Traits& traits() const noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

// A borrowed connection. Goes back when destroyed; whatever was left open is rolled back.
class [[nodiscard]] Pool::Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  // Using a lease that is empty or released is a programming mistake (asserted).
  [[nodiscard]] Connection* operator->() const;
  [[nodiscard]] Connection& operator*() const { return *operator->(); }
  [[nodiscard]] explicit operator bool() const noexcept { return connection_ != nullptr; }

  // Gives the connection back now. Releasing twice does nothing.
  void release() noexcept;

 private:
  friend class Core;
  Lease(Core& core, Connection& connection, db::Slot& slot) noexcept
      : core_(&core), connection_(&connection), slot_(&slot) {}

  Core* core_ = nullptr;
  Connection* connection_ = nullptr;
  db::Slot* slot_ = nullptr;
};

}  // namespace carrel
