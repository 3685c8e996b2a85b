// Bound: what a scope knows of its transaction, and the guards by which a call changes that for as
// long as it lasts.
#pragma once

#include <optional>
#include <stop_token>
#include <utility>

#include "carrel/db/connection.h"
#include "session/hooks.h"
#include "session/physical_transaction.h"

namespace carrel::session {

// Never flows to another scope: a child that ran statements on the parent's connection would use it
// from two threads.
struct Bound {
  PhysicalTransaction* current = nullptr;
  Hooks* completing = nullptr;           // whose after_* hooks run now
  Clock::Steady deadline = kNoDeadline;  // the earliest of all the calls around
  std::stop_token stop = {};             // of all the calls around that were given one
  // Read-only where a call around said so and no transaction of its own sees to it.
  Access access = Access::read_write;
};

// Sets a member for the extent of a block.
template <class T>
class Restored {
 public:
  Restored(T& place, T value) noexcept : place_(place), before_(std::exchange(place, value)) {}
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;
  ~Restored() { place_ = before_; }

 private:
  T& place_;
  T before_;
};

// A joining call's own, earlier deadline.
class Narrowed {
 public:
  Narrowed(Bound& bound, PhysicalTransaction& transaction, Clock::Steady deadline) noexcept
      : around_(bound.deadline, deadline),
        transaction_(transaction),
        before_(transaction.deadline()) {
    if (deadline < before_) transaction.set_deadline(deadline);
  }
  Narrowed(const Narrowed&) = delete;
  Narrowed& operator=(const Narrowed&) = delete;
  ~Narrowed() {
    if (transaction_.deadline() != before_) transaction_.set_deadline(before_);
  }

 private:
  const Restored<Clock::Steady> around_;
  PhysicalTransaction& transaction_;
  Clock::Steady before_;
};

// What a call was given as its stop, along with what holds around it already.
class Stoppable {
 public:
  Stoppable(Bound& bound, const std::stop_token& own)
      : token_(bound.stop, joined(bound.stop, own)) {}
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;
  ~Stoppable() = default;

 private:
  struct Forward {
    std::stop_source to;
    void operator()() noexcept { to.request_stop(); }
  };

  std::stop_token joined(const std::stop_token& around, const std::stop_token& own) {
    if (!own.stop_possible() || own == around) return around;
    if (!around.stop_possible()) return own;
    const std::stop_source either;
    from_around_.emplace(around, Forward{either});
    from_own_.emplace(own, Forward{either});
    return either.get_token();
  }

  std::optional<std::stop_callback<Forward>> from_around_;
  std::optional<std::stop_callback<Forward>> from_own_;
  const Restored<std::stop_token> token_;
};

}  // namespace carrel::session
