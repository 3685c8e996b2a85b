#include "session/router.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "db/sql_scanner.h"
#include "session/reading.h"

namespace carrel::session {
namespace {

// Names of statements are unique in the process, since sessions may share a pool.
std::uint64_t next_key() noexcept {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

std::string with_tables(std::string_view text, const Destination& to) {
  std::string sql;
  sql.reserve(text.size() + 32);
  db::SqlScanner scanner(text, to.route.pool->traits().dialect);
  while (const auto token = scanner.next()) {
    if (token->kind != db::TokenKind::slot) {
      sql += token->text;
      continue;
    }
    const bool is_closed = token->text.back() == '}';
    const auto slot = token->text.substr(1, token->text.size() - (is_closed ? 2 : 1));
    sql += Router::table(is_closed ? slot : std::string_view(), to, text);
  }
  return sql;
}

bool is_table_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  });
}

void check_routes(const std::vector<Route>& routes, bool has_marker, bool has_shards) {
  CARREL_ASSERT(!routes.empty(), "a session needs a route");
  CARREL_ASSERT(has_marker || has_shards || routes.size() == 1,
                "several routes need a marker, or shards, to choose by");
  CARREL_ASSERT(!(has_marker && has_shards), "a marker and shards both say which route is meant");
  for (const auto& route : routes) {
    CARREL_ASSERT(route.pool != nullptr, "route '" + route.name + "' has no pool");
    if (route.place != Place() && !route.pool->traits().places) {
      throw Error("invalid_place", "route '" + route.name + "' names a role or a schema, and " +
                                       std::string(route.pool->traits().name) + " has none");
    }
    for (const auto& [slot, table] : route.tables) {
      CARREL_ASSERT(is_table_name(table),
                    "slot '" + slot + "' of route '" + route.name + "' names no table: " + table);
    }
  }
}

}  // namespace

Pool::Lease Destination::borrow(const BorrowOptions& options) const {
  auto lease = route.pool->borrow(options);
  // One that nobody has moved since its reset() wants to be where it started.
  if (!route.place.role.empty() || !route.place.schema.empty()) lease->set_place(route.place);
  return lease;
}

Resolved::Resolved(std::string_view text_with_slots, const Destination& to, std::string plain_sql)
    : text(text_with_slots),
      destination(to),
      sql(std::move(plain_sql)),
      key(next_key()),
      only_reads(session::only_reads(sql, to.route.pool->traits().dialect)),
      access(only_reads ? Access::read_only : Access::read_write) {}

Router::Router(std::vector<Route> routes, Marker marker, std::size_t statements_max,
               std::optional<Shards> shards)
    : marker_(std::move(marker)), shards_(std::move(shards)), statements_max_(statements_max) {
  check_routes(routes, static_cast<bool>(marker_), shards_.has_value());
  for (std::size_t i = 0; i < routes.size(); ++i)
    destinations_.push_back({std::move(routes[i]), i});
  if (shards_) fill_buckets();
  if (destinations_.size() <= kComparedMax) return;
  for (const auto& destination : destinations_)
    by_name_.emplace(destination.route.name, &destination);
}

// From a file that an operator wrote, so that mistakes are errors and not bugs.
void Router::fill_buckets() {
  const auto refuse = [](const std::string& why) { throw Error("invalid_shards", why); };
  if (!shards_->key) refuse("nothing says which key is bound");
  if (shards_->buckets == 0) refuse("there are no buckets");
  by_bucket_.resize(shards_->buckets);
  for (const auto& range : shards_->ranges) {
    const auto named = "buckets " + std::to_string(range.first) + " to " +
                       std::to_string(range.last) + " on '" + range.route + "'";
    if (range.first > range.last || range.last >= shards_->buckets)
      refuse(named + ": there are buckets 0 to " + std::to_string(shards_->buckets - 1));
    const auto to = std::ranges::find(destinations_, range.route,
                                      [](const Destination& d) -> auto& { return d.route.name; });
    if (to == destinations_.end()) refuse(named + ": there is no such route");
    for (auto bucket = range.first; bucket <= range.last; ++bucket) {
      if (by_bucket_[bucket] != nullptr)
        refuse(named + ": bucket " + std::to_string(bucket) + " is on '" +
               by_bucket_[bucket]->route.name + "' already");
      by_bucket_[bucket] = &*to;
    }
  }
}

ShardKey Router::bound_key() const {
  if (const auto* key = shards_->key()) return *key;
  throw Error("no_shard_key", "no distribution key is bound: nothing says whose rows are meant");
}

const Destination& Router::by_bucket() const {
  const auto bucket = bound_key().bucket(by_bucket_.size());
  if (const auto* to = by_bucket_[bucket]) return *to;
  throw Error("unknown_bucket", "bucket " + std::to_string(bucket) + " is on no route");
}

const Destination& Router::destination() const {
  if (shards_) return by_bucket();
  if (!marker_) return destinations_.front();
  const auto name = marker_();
  if (!name) throw Error("no_marker", "no marker is bound: nothing says whose tables are meant");
  if (!by_name_.empty()) {
    if (const auto found = by_name_.find(*name); found != by_name_.end()) return *found->second;
  } else {
    for (const auto& destination : destinations_) {
      if (destination.route.name == *name) return destination;
    }
  }
  throw Error("unknown_route", "the marker says '" + std::string(*name) + "', which is no route");
}

const std::string& Router::table(std::string_view slot, const Destination& to,
                                 std::string_view statement) {
  const auto found = to.route.tables.find(slot);
  if (found != to.route.tables.end()) return found->second;
  throw Error("unknown_slot",
              "'{" + std::string(slot) + "}' is no slot of route '" + to.route.name +
                  "' [in: " + db::shape_of(statement, to.route.pool->traits().dialect) + "]");
}

ResolvedRef Router::find_or_make(std::string_view text, const Destination& to) const {
  auto& recent = recent_[recent_place(text, to)];
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = all_.find({text, &to}); found != all_.end()) {
      recent.store(found->second.get(), std::memory_order_release);
      return ResolvedRef(*found->second);
    }
  }
  auto made = std::make_unique<const Resolved>(text, to, with_tables(text, to));
  const std::unique_lock lock(mutex_);
  if (all_.size() >= statements_max_) return ResolvedRef(std::move(made));
  const Key key{made->text, &to};
  const auto& kept = all_.try_emplace(key, std::move(made)).first->second;
  recent.store(kept.get(), std::memory_order_release);
  return ResolvedRef(*kept);
}

}  // namespace carrel::session
