#include "db/pool_core.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/later.h"
#include "carrel/base/assert.h"
#include "carrel/db/sql_error.h"
#include "db/coarse_clock.h"

namespace carrel {
namespace {

std::uint64_t next_pool_id() noexcept {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed) * 2;  // two lanes each
}

bool is_set(std::chrono::milliseconds time) noexcept {
  return time.count() > 0;
}

// What means "for ever" is more than nanoseconds can count, in which ages are compared.
PoolOptions with_countable_times(PoolOptions options) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365 * 100);
  for (auto* time :
       {&options.acquire_max, &options.idle_max, &options.life_max, &options.leak_after,
        &options.validate_after, &options.keepalive_every, &options.maintain_every})
    *time = std::min(*time, longest);
  return options;
}

}  // namespace

Pool::Core::Core(PoolOptions options, Driver& driver)
    : options_(with_countable_times(with_group(std::move(options)))),
      driver_(driver),
      traits_(driver.traits()),
      group_(core_of(options_.group)),
      id_(next_pool_id()),
      keeps_time_(traits_.remote || is_set(options_.leak_after) || group_ != nullptr),
      reports_leaks_(is_set(options_.leak_after)),
      size_(options_.size_max == 0 ? traits_.pool_size_default : options_.size_max),
      jitter_state_(id_ * 0x9e3779b97f4a7c15) {
  CARREL_ASSERT(options_.connecting_max > 0, "a pool that may connect nothing serves nobody");
  CARREL_ASSERT(options_.life_jitter >= 0 && options_.life_jitter <= 1,
                "life_jitter is a share of life_max, from 0 to 1");
  const bool asks = group_ == nullptr && options_.connect_at_start;
  const auto limit = asks ? driver_.connections_max() : std::nullopt;
  if (limit && size_ > *limit) {
    throw Error("pool.too_large", "pool '" + options_.name + "' may open " + std::to_string(size_) +
                                      " connections, but the server gives only " +
                                      std::to_string(*limit));
  }
  lingering_.make_room(size_);
  const bool two_lanes = traits_.single_writer && size_ > 1;
  lanes_.push_back(
      std::make_unique<db::Lane>(two_lanes ? 1 : size_, options_.connecting_max, group_));
  if (two_lanes)
    lanes_.push_back(std::make_unique<db::Lane>(size_ - 1, options_.connecting_max, group_));
  if (options_.connect_at_start) {
    const auto deadline = base::from_now(options_.acquire_max);
    const auto wanted = std::clamp<std::size_t>(options_.size_min, 1, lanes_[0]->size());
    std::vector<std::uint32_t> opened;
    for (std::size_t i = 0; i < wanted; ++i) {
      const auto slot = lanes_[0]->take_empty();
      if (!slot) break;
      connect(0, *slot, deadline);
      opened.push_back(*slot);
    }
    for (const auto slot : opened) static_cast<void>(db::Lane::put(lanes_[0]->slot(slot)));
  }
  if (keeps_time_ && is_set(options_.maintain_every))
    maintenance_ = std::thread([this] { run_maintenance(); });
  if (group_ != nullptr) group_->join(*this);
}

Pool::Core::~Core() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_maintenance_.notify_all();
  if (maintenance_.joinable()) maintenance_.join();
  if (group_ != nullptr) group_->leave(*this);
  const bool all_back = drain(Clock::Steady::clock::now());
  CARREL_ASSERT(all_back, "pool '" + options_.name + "' destroyed with connections still borrowed");
}

Clock::Steady Pool::Core::deadline_of(const BorrowOptions& options) const noexcept {
  return std::min(options.deadline, base::from_now(options_.acquire_max));
}

Pool::Lease Pool::Core::borrow_another(std::uint32_t lane, const BorrowOptions& options) {
  db::Slot* idle = lanes_[lane]->try_take_any();
  return begin_loan(remembered(idle != nullptr ? *idle : acquire(lane, options), lane), lane,
                    options);
}

Pool::Lease Pool::Core::begin_loan(db::Slot& taken, std::uint32_t lane,
                                   const BorrowOptions& options) {
  const bool may_have_died = traits_.remote && has_idled(taken);
  auto& slot = may_have_died ? proven(taken, lane, options) : taken;
  if (options.stays_on_thread) {
    auto& holder = db::Holder::of_this_thread();
    ++holder.held;
    slot.holder.store(&holder, std::memory_order_release);
  }
  if (db::count_up(slot.borrowed) % kBorrowsPerSample == 0) [[unlikely]]
    begin_sample(slot);
  if (reports_leaks_) note_borrowed(slot);
  return Lease(*this, *slot.connection, slot);
}

void Pool::Core::end_loan(db::Slot& slot, bool good) noexcept {
  const bool young = !keeps_time_ || still_young(slot);
  if (reports_leaks_) note_returned(slot);
  if (db::Holder* holder = slot.holder.load(std::memory_order_relaxed); holder != nullptr) {
    CARREL_ASSERT(holder == &db::Holder::of_this_thread(),
                  "a lease that was to stay on its thread was returned by another");
    --holder->held;
    slot.holder.store(nullptr, std::memory_order_release);
  }
  if (!good || !young) [[unlikely]]
    return retire(slot, good ? Closed::life : Closed::broken);
  if (group_ != nullptr) return put_in_group(slot);
  if (db::Lane::put(slot) == db::Lane::Put::closed) [[unlikely]]
    retire(slot, Closed::drained);
}

db::Slot& Pool::Core::remembered(db::Slot& slot, std::uint32_t lane) const noexcept {
  return *(LastSlots::of(id_ + lane) = &slot);
}

db::Slot& Pool::Core::acquire(std::uint32_t lane_index, const BorrowOptions& options) {
  auto& lane = *lanes_[lane_index];
  free_lingering();
  db::Holder* holder = options.stays_on_thread ? &db::Holder::of_this_thread() : nullptr;
  const auto deadline = deadline_of(options);
  const bool may_hold = holder != nullptr && holder->held > 0 && options_.label;
  const auto label = may_hold ? options_.label() : std::string_view();
  const auto acquired = lane.take(deadline, holder, label);
  if (acquired.grant == db::Grant::empty) {
    connect(lane_index, acquired.slot, deadline);
  } else if (acquired.grant != db::Grant::connected) {
    throw_not_granted(acquired);
  }
  return lane.slot(acquired.slot);
}

// One deadline for all that are asked in vain: else each of them would have as long as all may
// take.
db::Slot& Pool::Core::proven(db::Slot& slot, std::uint32_t lane, const BorrowOptions& options) {
  auto bounded = options;
  bounded.deadline = deadline_of(options);
  db::Slot* candidate = &slot;
  while (has_idled(*candidate) && !is_alive(*candidate, bounded.deadline)) {
    retire(*candidate, Closed::invalid);
    if (Clock::Steady::clock::now() >= bounded.deadline)
      throw_not_granted({.grant = db::Grant::timed_out});
    candidate = &acquire(lane, bounded);
  }
  return remembered(*candidate, lane);
}

void Pool::Core::throw_not_granted(const db::Acquired& acquired) {
  const auto pool = "pool '" + options_.name + "'";
  switch (acquired.grant) {
    case db::Grant::closed:
      throw Error("pool.closed", pool + " is closed");
    case db::Grant::deadlock:
      throw Error("would_deadlock",
                  "waiting for " + pool +
                      " would never end: everybody who holds its connections waits too (" +
                      acquired.holders + ")");
    default:
      break;
  }
  const auto now = stats();
  std::string message = pool + " had no connection in time (" + std::to_string(now.active) +
                        " in use, " + std::to_string(now.waiting) + " waiting)";
  const std::scoped_lock lock(mutex_);
  if (!last_connect_error_.empty())
    message += "; the last attempt to connect: " + last_connect_error_;
  throw Error("pool.timeout", message, {.retryable = true});
}

bool Pool::Core::try_connect(std::uint32_t lane_index, std::uint32_t index,
                             Clock::Steady deadline) {
  auto& slot = lanes_[lane_index]->slot(index);
  const auto access = lane_index == 1 ? Access::read_only : Access::read_write;
  try {
    slot.connection = driver_.connect({.access = access, .deadline = deadline});
  } catch (const Error& error) {
    connect_failures_.fetch_add(1, std::memory_order_relaxed);
    const std::scoped_lock lock(mutex_);
    last_connect_error_ = error.what();
    if (!error.retryable()) throw;
    using Failure = db::ConnectPause::Failure;
    connect_pause_.failed(error.code() == "sql.deadline" ? Failure::hasty : Failure::server,
                          options_.clock->steady_now());
    return false;
  }
  created_.fetch_add(1, std::memory_order_relaxed);
  const bool ages = traits_.remote && is_set(options_.life_max);
  const auto now = db::coarse_now(*options_.clock);
  slot.expires = ages ? now + life_with_jitter() : kNoDeadline;
  slot.idle_since.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  const std::scoped_lock lock(mutex_);
  connect_pause_.connected();
  last_connect_error_.clear();
  return true;
}

// While the server is away, tries again after growing pauses until the deadline. Only the holders
// of the lane's few connect permits do so, and a pause holds for whoever gets a permit next as
// well: borrowers that give up one after the other meet the server no more often than one that
// waits.
void Pool::Core::connect(std::uint32_t lane_index, std::uint32_t index, Clock::Steady deadline) {
  auto& lane = *lanes_[lane_index];
  try {
    do {
      const auto left = pause_left();
      const auto until = Clock::Steady::clock::now() + left;
      if (left.count() > 0) lane.pause(std::min(until, deadline));
      if (lane.closed()) throw_not_granted({.grant = db::Grant::closed});
      if (left.count() > 0 && until >= deadline) throw_not_granted({.grant = db::Grant::timed_out});
    } while (!try_connect(lane_index, index, deadline));
  } catch (...) {
    lane.put_empty(index, db::Lane::Was::connecting);
    throw;
  }
  lane.connect_succeeded();
}

std::chrono::nanoseconds Pool::Core::life_with_jitter() noexcept {
  // splitmix64 (Steele, Lea, Flood 2014); any spread will do.
  auto z = jitter_state_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  const double unit = static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  const double life = static_cast<double>(std::chrono::nanoseconds(options_.life_max).count());
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(life * (1.0 - options_.life_jitter * unit)));
}

// A sign of life is asked for only after idling: a connection that just worked need not be asked.
bool Pool::Core::has_idled(const db::Slot& slot) const noexcept {
  const auto idle_since =
      Clock::Steady(Clock::Steady::duration(slot.idle_since.load(std::memory_order_relaxed)));
  return db::coarse_now(*options_.clock) - idle_since >= options_.validate_after;
}

bool Pool::Core::is_alive(db::Slot& slot, Clock::Steady deadline) noexcept {
  slot.connection->set_deadline(deadline);
  const bool alive = slot.connection->validate();
  slot.connection->set_deadline(kNoDeadline);
  return alive;
}

bool Pool::Core::still_young(db::Slot& slot) const noexcept {
  const auto now = db::coarse_now(*options_.clock);
  slot.idle_since.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  return now < slot.expires;
}

void Pool::Core::begin_sample(db::Slot& slot) noexcept {
  slot.measured_since = Clock::Steady::clock::now();
  slot.connection->start_measuring();
}

void Pool::Core::end_sample(db::Slot& slot) noexcept {
  const auto held = Clock::Steady::clock::now() - std::exchange(slot.measured_since, {});
  slot.busy_ns.fetch_add(slot.connection->stop_measuring().count(), std::memory_order_relaxed);
  slot.sampled_ns.fetch_add(held.count(), std::memory_order_relaxed);
  db::count_up(slot.samples);
}

void Pool::Core::close_connection(db::Slot& slot, Closed why) noexcept {
  slot.connection.reset();
  closed_[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
}

// Closed before it is put back, so that the total never exceeds the size.
void Pool::Core::retire(db::Slot& slot, Closed why) noexcept {
  auto remains = slot.connection->remains();
  close_connection(slot, why);
  slot.holder.store(nullptr, std::memory_order_release);  // nobody holds it, were it to linger
  if (!lingering_.keep(slot, std::move(remains), *options_.clock))
    return slot.lane->put_empty(slot.index, db::Lane::Was::connected);
  const std::scoped_lock lock(mutex_);
  wake_maintenance_.notify_all();
}

void Pool::Core::free_lingering() noexcept {
  while (auto* const slot = lingering_.take_free(*options_.clock))
    slot->lane->put_empty(slot->index, db::Lane::Was::connected);
}

bool Pool::Core::drain(Clock::Steady deadline) {
  lingering_.end();
  for (auto lane = lanes_.size(); lane-- > 0;) {  // readers first: the writer leaves a clean file
    for (const auto slot : lanes_[lane]->close()) retire(lanes_[lane]->slot(slot), Closed::drained);
  }
  free_lingering();
  bool all_back = true;
  for (auto& lane : lanes_) all_back = lane->wait_until_empty(deadline) && all_back;
  return all_back;
}

PoolStats Pool::Core::stats() const {
  PoolStats stats;
  for (const auto& lane : lanes_) {
    const auto part = lane->stats();
    stats.size += lane->size() - part.empty;
    stats.idle += part.idle;
    stats.active += lane->size() - part.empty - std::min(part.idle, lane->size() - part.empty);
    stats.waiting += part.waiting;
    stats.waited += part.waited;
    stats.timeouts += part.timeouts;
    stats.deadlocks_refused += part.deadlocks;
    stats.wait_time += part.wait_time;
    for (std::size_t i = 0; i < lane->size(); ++i) {
      const auto& slot = lane->slot(i);
      stats.borrowed += slot.borrowed.load(std::memory_order_relaxed);
      const std::chrono::nanoseconds used(slot.sampled_ns.load(std::memory_order_relaxed));
      const std::chrono::nanoseconds busy(slot.busy_ns.load(std::memory_order_relaxed));
      stats.measured += slot.samples.load(std::memory_order_relaxed);
      stats.use_time += used;
      using Seconds = std::chrono::duration<double>;
      stats.utilisation.push_back(used.count() > 0 ? Seconds(busy) / Seconds(used) : 0.0);
    }
  }
  const auto closed = [this](Closed why) {
    return closed_[static_cast<std::size_t>(why)].load(std::memory_order_relaxed);
  };
  stats.created = created_.load(std::memory_order_relaxed);
  stats.connect_failures = connect_failures_.load(std::memory_order_relaxed);
  stats.closed_broken = closed(Closed::broken);
  stats.closed_idle = closed(Closed::idle);
  stats.closed_life = closed(Closed::life);
  stats.closed_invalid = closed(Closed::invalid);
  stats.closed_for_group = closed(Closed::for_group);
  stats.closed_drained = closed(Closed::drained);
  stats.leaks = leaks_.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace carrel
