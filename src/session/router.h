// Router: from a statement with slots and the request's marker to a pool and plain SQL.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "carrel/session/transaction.h"

namespace carrel::session {

struct Destination {
  Route route;
  std::size_t index;  // among the session's routes

  // A connection that runs statements in the route's place.
  [[nodiscard]] Pool::Lease borrow(const BorrowOptions& options) const;
};

// A statement as one route runs it. Immutable but for what is learned about it.
struct Resolved {
  Resolved(std::string_view text_with_slots, const Destination& to, std::string plain_sql);

  // To be sent, along with what this call of it said.
  [[nodiscard]] Statement statement(Leaves leaves) const noexcept {
    Statement made(sql, key);
    made.leaves = leaves;
    return made;
  }

  const std::string text;  // with slots
  const Destination& destination;
  const std::string sql;               // with tables
  const std::uint64_t key;             // its name in the connections' statement caches
  const bool only_reads;               // as its words tell: see reading.h
  mutable std::atomic<Access> access;  // guessed by only_reads, until a reader refused it
};

// A statement found in the cache, or, where that is full, made for this call.
class ResolvedRef {
 public:
  explicit ResolvedRef(const Resolved& cached) noexcept : resolved_(&cached) {}
  explicit ResolvedRef(std::unique_ptr<const Resolved> made) noexcept
      : resolved_(made.get()), made_(std::move(made)) {}
  const Resolved* operator->() const noexcept { return resolved_; }
  const Resolved& operator*() const noexcept { return *resolved_; }

 private:
  const Resolved* resolved_;
  std::unique_ptr<const Resolved> made_;
};

// Threads: all functions from any. A resolved statement lives as long as the router.
class Router {
 public:
  Router(std::vector<Route> routes, Marker marker, std::size_t statements_max,
         std::optional<Shards> shards = std::nullopt);

  // Throws Error "no_marker" or "unknown_route"; "no_shard_key" or "unknown_bucket".
  [[nodiscard]] const Destination& destination() const;

  // The hash of the distribution key that is bound, to which a transaction keeps; one and the same
  // where the session is not sharded. Throws "no_shard_key".
  [[nodiscard]] std::uint64_t key() const { return shards_ ? bound_key().hash() : 0; }

  // Throws Error "unknown_slot" as well.
  [[nodiscard]] ResolvedRef resolve(std::string_view text) const {
    const auto& to = destination();
    const auto* recent = recent_[recent_place(text, to)].load(std::memory_order_acquire);
    if (recent != nullptr && &recent->destination == &to && recent->text == text) [[likely]]
      return ResolvedRef(*recent);
    return find_or_make(text, to);
  }

  [[nodiscard]] std::span<const Destination> destinations() const noexcept { return destinations_; }

  // The physical table of one slot.
  [[nodiscard]] static const std::string& table(std::string_view slot, const Destination& to,
                                                std::string_view statement);

 private:
  // Statements by the address of their text: a literal has the same at every call, and comparing
  // the text then is cheaper than hashing it.
  static constexpr std::size_t kRecent = 1'024;

  [[nodiscard]] static std::size_t recent_place(std::string_view text,
                                                const Destination& to) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(text.data());
    return ((address >> 3) ^ (address >> 13) ^ (text.size() << 2) ^ (to.index * 0x9d)) &
           (kRecent - 1);
  }

  struct Key {
    std::string_view text;
    const Destination* destination;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<std::string_view>()(key.text) ^
             (key.destination->index * 0x9e3779b97f4a7c15);
    }
  };

  [[nodiscard]] ResolvedRef find_or_make(std::string_view text, const Destination& to) const;
  void fill_buckets();
  [[nodiscard]] ShardKey bound_key() const;
  [[nodiscard]] const Destination& by_bucket() const;

  // Comparing a few names is cheaper than hashing one.
  static constexpr std::size_t kComparedMax = 8;

  std::vector<Destination> destinations_;
  std::unordered_map<std::string_view, const Destination*> by_name_;  // empty where they are few
  Marker marker_;
  const std::optional<Shards> shards_;
  std::vector<const Destination*> by_bucket_;  // null where no route has the bucket
  std::size_t statements_max_;
  mutable std::array<std::atomic<const Resolved*>, kRecent> recent_{};
  mutable std::shared_mutex mutex_;  // all_ is guarded by mutex_
  mutable std::unordered_map<Key, std::unique_ptr<const Resolved>, KeyHash> all_;
};

}  // namespace carrel::session
