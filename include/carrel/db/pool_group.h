// PoolGroup: many pools that together open at most so many connections.
//
// Use it where every tenant has a database, and a pool, of its own, and the server has one limit
// for all of them. Not for a few pools whose sizes can simply be added up.
//
//   PoolGroup group({.connections_max = 50});
//   Pool acme({.name = "acme", .size_max = 4, .group = &group}, acme_driver);
//   Pool bolt({.name = "bolt", .size_max = 4, .group = &group}, bolt_driver);
//
// While there is room, the pools know nothing of each other. When there is none, a pool that needs
// a connection has the one closed that has idled longest in any other. When none idles, returned
// connections are given up in favour of the pool that has fewest, first come first served among
// equals: a tenant that has none is served before one that has some, and pools that are all busy
// end with equal shares. Within a pool the order of arrival stands.
//
// A pool whose server does not answer keeps up to PoolOptions::connecting_max of the total while it
// tries again, until its borrowers' deadlines: enough of them keep all others out. One group is for
// one server.
//
// Pools of a group open nothing at their start and have no thread of their own: the group's looks
// after all of them.
//
// Threads: all functions are safe from any. Lifetime: outlives its pools (asserted).
// Errors: none of its own; a borrower that waits in vain gets its pool's "pool.timeout".
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace carrel {

namespace db {
class GroupCore;
}

struct PoolGroupOptions {
  std::size_t connections_max = 50;                 // open, or being opened or closed, in all pools
  std::chrono::milliseconds maintain_every{1'000};  // 0: only when maintain() is called
};

struct PoolGroupStats {
  std::size_t pools = 0;
  std::size_t connections = 0;    // open, or being opened or closed
  std::size_t pools_waiting = 0;  // for room
  std::uint64_t evicted = 0;      // idle connections closed for another pool
  std::uint64_t given_up = 0;     // returned connections closed for another pool
};

class PoolGroup {
 public:
  explicit PoolGroup(const PoolGroupOptions& options = {});
  PoolGroup(const PoolGroup&) = delete;
  PoolGroup& operator=(const PoolGroup&) = delete;
  ~PoolGroup();

  // Pool::maintain() for all pools.
  void maintain();
  [[nodiscard]] PoolGroupStats stats() const;

 private:
  friend class Pool;
  std::unique_ptr<db::GroupCore> core_;
};

}  // namespace carrel
