// Busy: while it lives, its connection is in a call that reaches the database.
//
// Where a pool has asked for it, its time is added to what the connection was busy for, and it is
// counted as a call, which a leak report tells to be running. One stands in each call of Connection
// that may wait for an answer. reset() and validate() are the drivers' own: they make one where
// they reach the database, after the question whether they need to.
//
// Two at once on one connection would count the time twice, and the second look like the end of the
// first: what holds one calls no function that makes another.
#pragma once

#include "carrel/db/connection.h"

namespace carrel {

class Connection::Busy {
 public:
  explicit Busy(Connection& connection) noexcept : connection_(connection) {
    if (connection.measuring_) [[unlikely]]
      since_ = Clock::Steady::clock::now();
    if (connection.steps_ != nullptr) [[unlikely]]
      connection.step();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    if (since_ != Clock::Steady()) [[unlikely]]
      connection_.busy_ += Clock::Steady::clock::now() - since_;
    if (connection_.steps_ != nullptr) [[unlikely]]
      connection_.step();
  }

 private:
  Connection& connection_;
  Clock::Steady since_{};
};

}  // namespace carrel
