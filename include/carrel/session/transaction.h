// TransactionOptions, Route and what else a Session is told.
//
// See session.h for what they do together.
//
//   const TransactionOptions options{.isolation = Isolation::serializable,
//                                    .deadline = 2s,
//                                    .retry = Retry::conflicts(3)};
//   session.transaction(options, [&] { post(voucher); });
//
// Plain data: threads and lifetimes are the Session's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/connection.h"
#include "carrel/db/pool.h"

namespace carrel {

// What a call of transaction() does when the caller is inside one already, and when it is not.
enum class Propagation : std::uint8_t {
  required,       // joins the caller's; begins one where there is none
  requires_new,   // puts the caller's aside and begins its own, on a second connection
  nested,         // a savepoint in the caller's; begins one where there is none
  supports,       // joins the caller's; runs without one where there is none
  not_supported,  // puts the caller's aside and runs without one
  mandatory,      // joins the caller's; "no_transaction" where there is none
  never           // "transaction_exists" inside one; runs without one
};

enum class Outcome : std::uint8_t { committed, rolled_back, in_doubt };

// Runs the closure again after it lost against another transaction. Never when in doubt, and only
// by the call that began the transaction.
struct Retry {
  int attempts_max = 1;
  std::chrono::milliseconds first_pause{5};  // doubled each time, with jitter
  std::chrono::milliseconds pause_max{500};

  [[nodiscard]] static constexpr Retry never() noexcept { return {}; }
  // At most `times` runs more, within the transaction's deadline.
  [[nodiscard]] static constexpr Retry conflicts(int times) noexcept {
    return {times < std::numeric_limits<int>::max() ? times + 1 : times};
  }
};

// Whether an exception that leaves the closure still commits (it is thrown on afterwards).
using CommitRule = bool (*)(const std::exception&);

// {.commits_on = commits_on<CardDeclined, LimitReached>}
template <class... Exceptions>
bool commits_on(const std::exception& thrown) {
  return ((dynamic_cast<const Exceptions*>(&thrown) != nullptr) || ...);
}

struct TransactionOptions {
  Propagation propagation = Propagation::required;
  Isolation isolation = Isolation::standard;
  // The call writes nothing: "read_only_mismatch" where it tries inside a transaction that may, or
  // without one; "sql.read_only" where it began the transaction. One that does not say so may be
  // part of a read-only transaction, whose database refuses its writes.
  bool read_only = false;
  bool deferrable = false;
  // Counted from the call, over everything: waiting for a connection, statements, commit. The
  // scope's own deadline and those of the calls around hold besides.
  std::optional<std::chrono::milliseconds> deadline = std::nullopt;
  Retry retry = Retry::never();
  CommitRule commits_on = nullptr;
  // Once a stop is asked for, the running statement of the call and all further ones end with
  // "sql.cancelled", and the call fails: nothing is committed; a call that joined dooms the
  // transaction, a nested one undoes its savepoint. A COMMIT that has been sent is waited for.
  // Waiting for a connection ends by deadline.
  std::stop_token stop = {};
};

// Where one marker leads: a database and the physical table of every slot.
struct Route {
  std::string name = {};                                        // what the marker says
  Pool* pool = nullptr;                                         // outlives the session
  std::map<std::string, std::string, std::less<>> tables = {};  // "account" -> "consumer_account"
  // Role and schema in which its statements run, where many tenants share a pool (PostgreSQL,
  // MariaDB). Refused by the Session's constructor, "invalid_place", for a database without them.
  Place place = {};
};

// Reads the application's own RequestLocal: the route's name, or nothing when none is bound. Called
// for every statement: cheap, and does not throw.
using Marker = std::function<std::optional<std::string_view>()>;

// Hash routing: from a request's distribution key to the database that holds its rows. For where
// one database is not enough and no directory of tenants shall be kept: the key (a customer, an
// account's owner) falls into one of a fixed number of buckets, and a map that the operator keeps
// says which route has which bucket.
//
//   const RequestLocal<ShardKey> customer{"customer"};
//   Session session({.routes = {{.name = "a", .pool = &pool_a}, {.name = "b", .pool = &pool_b}},
//                    .shards = Shards{.buckets = 1'024,
//                                     .ranges = {{0, 511, "a"}, {512, 1'023, "b"}},
//                                     .key = [&] { return customer.find(); }}});
//   customer.set(ShardKey("alice"));            // at the request's entry; then statements as ever
//
// A key's bucket is its hash modulo `buckets`; the hash is FNV-1a over the key's bytes, 64 bits,
// stirred by MurmurHash3's fmix64. It never changes: docs/reference/routing.md has examples to test
// another implementation with. Keep `buckets` for ever, since rows lie by it; twice as many split
// every bucket in two.
//
// A transaction is of one key. Another one bound inside it is refused with "shard_key_changed",
// also where both lie on the same shard today: tomorrow one of them is moved.
//
// A value; keeps the hash only.
class ShardKey {
 public:
  explicit ShardKey(std::string_view key) noexcept;
  explicit ShardKey(std::int64_t key) noexcept;  // as its decimal text: 7 and "7" are one key

  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::size_t bucket(std::size_t buckets) const noexcept { return hash_ % buckets; }
  friend bool operator==(const ShardKey&, const ShardKey&) = default;

 private:
  std::uint64_t hash_;
};

// Buckets `first` to `last`, both included, lie on one route.
struct BucketRange {
  std::size_t first = 0;
  std::size_t last = 0;
  std::string route = {};
};

struct Shards {
  std::size_t buckets = 1'024;
  // No bucket twice ("invalid_shards", of the Session's constructor); one that is in no range is
  // nowhere at present.
  std::vector<BucketRange> ranges = {};
  // Reads the application's own RequestLocal; null where none is bound. Called for every statement:
  // cheap, does not throw.
  std::function<const ShardKey*()> key = nullptr;
};

enum class TwoPhaseStep : std::uint8_t { worked, logged, prepared, decided, finished };

// How Session::together commits over several databases. Each of them has a table for the log:
//   create table carrel_decision (name text primary key)
struct TwoPhase {
  // Of the application: its prepared transactions are called "name/route/...". Letters, digits and
  // "._-", in the routes' names as well ("invalid_two_phase").
  std::string name = "carrel";
  std::string log_table = "carrel_decision";
  // How long to go on, whatever the deadline, once something has been prepared: to ask what became
  // of a COMMIT without an answer, and to finish the others.
  std::chrono::milliseconds settle_max{5'000};
  std::function<void(TwoPhaseStep)> on_step = nullptr;  // for logs and tests; does not throw
};

enum class Together : std::uint8_t {
  committed,    // everywhere
  unfinished,   // committed, but a database could not be told yet: recover() does
  rolled_back,  // everywhere, as set_rollback_only() asked
};

// What Session::recover found.
struct Recovery {
  std::size_t committed = 0;    // prepared transactions, now
  std::size_t rolled_back = 0;  // likewise
  std::size_t forgotten = 0;    // decisions that nobody needs any more
  std::vector<std::string> in_doubt =
      {};  // still prepared: who decides cannot be asked, or is at it
  std::vector<std::string> unreachable = {};  // routes
};

struct SessionOptions {
  std::vector<Route> routes = {};  // closed: what is not listed does not exist
  // Left out only where there is one route, which then serves everything, or where the route
  // follows from a distribution key.
  Marker marker = nullptr;
  std::optional<Shards> shards = std::nullopt;  // instead of a marker
  std::optional<TwoPhase> two_phase = std::nullopt;

  std::size_t statements_max = 4'096;  // resolved texts kept
  // An after_* hook threw; the transaction's outcome stands. Default: a line on stderr.
  std::function<void(const std::exception&)> on_hook_error = nullptr;
  // How a retry waits; tests hand in their own.
  std::function<void(std::chrono::nanoseconds)> pause = nullptr;
};

}  // namespace carrel
