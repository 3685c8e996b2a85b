// The part of Pool::Core that looks after connections nobody is using: ages, keepalives, leaks.
#include <algorithm>
#include <cstdio>
#include <exception>

#include "base/later.h"
#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "carrel/db/pool_group.h"
#include "db/coarse_clock.h"
#include "db/pool_core.h"

namespace carrel {
namespace {

constexpr std::chrono::milliseconds kLingeringLook{10};

bool is_set(std::chrono::milliseconds time) noexcept {
  return time.count() > 0;
}

void print_leak(const LeakReport& leak) {
  const char* what = leak.returned ? "came back after" : "has been out for";
  const char* now = leak.returned ? "" : leak.in_call ? ", one runs now" : ", none runs now";
  std::string stack;
  for (const auto& frame : leak.stack) stack += "\n    " + frame;
  std::fprintf(
      stderr, "carrel: a connection of pool '%s' %s %lld ms; borrowed by '%s'; %llu calls%s%s\n",
      leak.pool.c_str(), what, static_cast<long long>(leak.held.count()), leak.borrower.c_str(),
      static_cast<unsigned long long>(leak.calls), now, stack.c_str());
}

}  // namespace

void Pool::Core::note_borrowed(db::Slot& slot) noexcept {
  slot.label.set(options_.label ? options_.label() : std::string_view());
  if (options_.leak_frames > 0)
    slot.borrowed_from.take(options_.leak_frames, __builtin_return_address(0));
  slot.steps.store(0, std::memory_order_relaxed);
  slot.connection->count_steps_in(&slot.steps);
  const auto now = db::coarse_now(*options_.clock).time_since_epoch().count();
  slot.loan.begin(now);
}

void Pool::Core::note_returned(db::Slot& slot) noexcept {
  const auto since = slot.loan.end();
  if (!since) return;
  const auto now = db::coarse_now(*options_.clock).time_since_epoch().count();
  report_leak(slot, Clock::Steady::duration(now - *since), /*returned=*/true);
}

void Pool::Core::report_leak(const db::Slot& slot, std::chrono::nanoseconds held, bool returned) {
  const auto steps = slot.steps.load(std::memory_order_relaxed);
  const LeakReport report{.pool = options_.name,
                          .borrower = slot.label.get(),
                          .held = std::chrono::duration_cast<std::chrono::milliseconds>(held),
                          .returned = returned,
                          .calls = (steps + 1) / 2,
                          .in_call = steps % 2 == 1,
                          .stack = slot.borrowed_from.names()};
  if (!returned) leaks_.fetch_add(1, std::memory_order_relaxed);
  options_.on_leak ? options_.on_leak(report) : print_leak(report);
}

void Pool::Core::maintain_lane(std::uint32_t lane_index) {
  auto& lane = *lanes_[lane_index];
  const auto now = db::coarse_now(*options_.clock);
  auto open = lane.size() - lane.stats().empty;
  for (std::uint32_t index = 0; index < lane.size(); ++index) {
    auto& slot = lane.slot(index);
    if (is_set(options_.leak_after)) {
      const auto since = slot.loan.began();
      const auto held = since ? now - Clock::Steady(Clock::Steady::duration(*since))
                              : std::chrono::nanoseconds(0);
      if (held >= options_.leak_after && slot.loan.report(*since))
        report_leak(slot, held, /*returned=*/false);
    }
    if (!traits_.remote || !db::Lane::try_take(slot)) continue;
    if (slot.asked > now) slot.asked = {};  // the clock was put back
    const Clock::Steady idle_since(Clock::Steady::duration(slot.idle_since.load()));
    const auto idle = now - idle_since;
    const auto silent = now - std::max(idle_since, slot.asked);
    const bool too_old = now >= slot.expires;
    const bool idle_long =
        is_set(options_.idle_max) && idle >= options_.idle_max && open > options_.size_min;
    bool dead = false;
    if (!too_old && !idle_long && is_set(options_.keepalive_every) &&
        silent >= options_.keepalive_every) {
      slot.connection->set_deadline(base::from_now(options_.acquire_max));
      dead = !slot.connection->validate();
      slot.connection->set_deadline(kNoDeadline);
      slot.asked = now;
    }
    const auto put = too_old || idle_long || dead ? db::Lane::Put::closed : db::Lane::put(slot);
    if (put != db::Lane::Put::closed) {
      if (group_ != nullptr && put == db::Lane::Put::idle) group_->make_room();
      continue;
    }
    retire(slot, too_old     ? Closed::life
                 : idle_long ? Closed::idle
                 : dead      ? Closed::invalid
                             : Closed::drained);
    --open;
  }
}

void Pool::Core::fill_to_minimum() {
  auto& lane = *lanes_[0];
  while (lane.size() - lane.stats().empty < options_.size_min) {
    if (pause_left().count() > 0) return;  // the server is away: next time
    const auto slot = lane.take_empty();
    if (!slot) return;
    const auto deadline = base::from_now(options_.acquire_max);
    bool connected = false;
    try {
      connected = try_connect(0, *slot, deadline);
    } catch (const std::exception&) {
      // A carrel::Error is counted and kept as the last one, and borrowers will meet it themselves.
      // Whatever else, such as a lack of memory, may have passed by the next time.
      connected = false;
    }
    if (!connected) {
      lane.put_empty(*slot, db::Lane::Was::connecting);
      return;
    }
    lane.connect_succeeded();
    if (db::Lane::put(lane.slot(*slot)) != db::Lane::Put::closed) continue;
    retire(lane.slot(*slot), Closed::drained);
  }
}

// A group of pools opens nothing ahead of need, and looks after them with one thread.
PoolOptions Pool::Core::with_group(PoolOptions options) {
  if (options.group == nullptr) return options;
  options.size_min = 0;
  options.connect_at_start = false;
  options.maintain_every = {};
  return options;
}

db::GroupCore* Pool::Core::core_of(PoolGroup* group) noexcept {
  return group == nullptr ? nullptr : group->core_.get();
}

db::Slot* Pool::Core::longest_idle() noexcept {
  db::Slot* longest = nullptr;
  auto since = db::kNoneIdle;
  for (const auto& lane : lanes_) {
    const auto index = lane->longest_idle();
    if (!index) continue;
    auto& slot = lane->slot(*index);
    const auto idle = slot.idle_since.load(std::memory_order_relaxed);
    if (longest != nullptr && idle >= since) continue;
    since = idle;
    longest = &slot;
  }
  return longest;
}

std::int64_t Pool::Core::idles_since() noexcept {
  const auto* const slot = longest_idle();
  return slot == nullptr ? db::kNoneIdle : slot->idle_since.load(std::memory_order_relaxed);
}

db::Slot* Pool::Core::claim_longest_idle() noexcept {
  auto* const slot = longest_idle();
  if (slot == nullptr || !group_->should_evict(*slot->lane)) return nullptr;
  if (db::Lane::try_take(*slot)) return slot;
  group_->break_promise(*slot->lane);
  return nullptr;
}

void Pool::Core::close_claimed(db::Slot& slot) noexcept {
  close_connection(slot, Closed::for_group);
  slot.lane->put_empty(slot.index, db::Lane::Was::evicted);
}

void Pool::Core::put_in_group(db::Slot& slot) noexcept {
  auto* const group = group_;  // once the slot is back, the pool may be gone
  if (group->wanted() && group->should_give_up(*slot.lane)) {
    group->count_given_up();
    close_connection(slot, Closed::for_group);
    return slot.lane->put_empty(slot.index, db::Lane::Was::given_up);
  }
  const auto put = db::Lane::put(slot);
  if (put == db::Lane::Put::closed) return retire(slot, Closed::drained);
  if (put == db::Lane::Put::idle) group->make_room();
}

void Pool::Core::maintain() {
  free_lingering();
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) maintain_lane(lane);
  if (traits_.remote) fill_to_minimum();
}

void Pool::Core::run_maintenance() {
  using Steady = Clock::Steady::clock;
  auto next = base::later(Steady::now(), options_.maintain_every);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    // A server that is well ends at once what lingers; its place is free soon after.
    const bool lingers = lingering_.any();
    const auto until = lingers ? std::min(next, Steady::now() + kLingeringLook) : next;
    wake_maintenance_.wait_until(lock, until,
                                 [&] { return stopping_ || (!lingers && lingering_.any()); });
    if (stopping_) return;
    lock.unlock();
    free_lingering();
    if (Steady::now() >= next) {
      maintain();
      next = base::later(Steady::now(), options_.maintain_every);
    }
    lock.lock();
  }
}

}  // namespace carrel
