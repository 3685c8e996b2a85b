#include "db/wait_graph.h"

#include <algorithm>
#include <vector>

#include "carrel/base/assert.h"
#include "db/lane.h"

namespace carrel::db {

Holder::~Holder() {
  CARREL_ASSERT(held == 0, "a thread ended while it held a connection");
  // A traversal that read this holder's address holds the mutex; none begins to use it later, since
  // no slot names it any more.
  const std::scoped_lock lock(wait_graph::mutex());
}

Holder& Holder::of_this_thread() noexcept {
  thread_local Holder holder;
  return holder;
}

namespace wait_graph {

std::mutex& mutex() noexcept {
  static std::mutex the_one;
  return the_one;
}

namespace {

using Lanes = std::vector<const Lane*>;

struct Seen {
  bool all_wait = true;     // of the slots that a thread holds
  std::size_t holders = 0;  // such slots
};

// Adds what the lane's holders wait for.
Seen look_at(const Lane& lane, Lanes& reached) {
  Seen seen;
  for (std::size_t s = 0; s < lane.size(); ++s) {
    const Holder* holder = lane.slot(s).holder.load(std::memory_order_acquire);
    if (holder == nullptr) continue;
    ++seen.holders;
    const Lane* next = holder->waiting_for.load(std::memory_order_acquire);
    if (next == nullptr) return {.all_wait = false, .holders = seen.holders};
    if (std::find(reached.begin(), reached.end(), next) == reached.end()) reached.push_back(next);
  }
  return seen;
}

// Whether every permit of the group is held by somebody who waits.
bool is_hopeless(const GroupCore& group, Lanes& reached) {
  bool all_wait = true;
  std::size_t holders = 0;
  group.for_each_lane([&](const Lane& lane) {
    const auto seen = look_at(lane, reached);
    all_wait &= seen.all_wait;
    holders += seen.holders;
  });
  return all_wait && holders >= group.permits();
}

}  // namespace

bool is_hopeless(const Lane& lane) {
  Lanes reached{&lane};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const Lane& at = *reached[i];
    const auto seen = look_at(at, reached);
    if (!seen.all_wait) return false;
    if (seen.holders == at.size()) continue;
    // Free, or held by somebody who can always go on; or empty for want of a permit.
    if (at.group() == nullptr || !is_hopeless(*at.group(), reached)) return false;
  }
  return true;
}

std::string holders_of(const Lane& lane) {
  std::string names;
  const auto add = [&names](const Lane& held) {
    for (std::size_t s = 0; s < held.size(); ++s) {
      const Holder* holder = held.slot(s).holder.load(std::memory_order_acquire);
      if (holder == nullptr) continue;
      if (!names.empty()) names += ", ";
      names += holder->label.empty() ? "(unnamed)" : "'" + holder->label + "'";
    }
  };
  lane.group() == nullptr ? add(lane) : lane.group()->for_each_lane(add);
  return names;
}

}  // namespace wait_graph
}  // namespace carrel::db
