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

bool is_hopeless(const Lane& lane) {
  std::vector<const Lane*> reached{&lane};
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const Lane& at = *reached[i];
    for (std::size_t s = 0; s < at.size(); ++s) {
      const Holder* holder = at.slot(s).holder.load(std::memory_order_acquire);
      if (holder == nullptr) return false;  // free, or held by somebody who can always go on
      const Lane* next = holder->waiting_for.load(std::memory_order_acquire);
      if (next == nullptr) return false;
      if (std::find(reached.begin(), reached.end(), next) == reached.end()) reached.push_back(next);
    }
  }
  return true;
}

std::string holders_of(const Lane& lane) {
  std::string names;
  for (std::size_t s = 0; s < lane.size(); ++s) {
    const Holder* holder = lane.slot(s).holder.load(std::memory_order_acquire);
    if (holder == nullptr) continue;
    if (!names.empty()) names += ", ";
    names += holder->label.empty() ? "(unnamed)" : "'" + holder->label + "'";
  }
  return names;
}

}  // namespace wait_graph
}  // namespace carrel::db
