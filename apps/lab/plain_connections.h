// PlainConnections: the connection pool that everybody has written once: a queue of open
// connections, from the front of which one is borrowed, and to the back of which it returns, after
// what was left open on it has been rolled back.
//
// Only for what the lab shows to fail; programs use carrel::Pool.
//
// Threads: borrow() and Loan from any. Lifetime: outlives its loans; the driver outlives it.
// Errors: SqlError where connecting fails.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "carrel/db/connection.h"

namespace carrel::lab {

class PlainConnections {
 public:
  class Loan;

  PlainConnections(Driver& driver, std::size_t count);

  // Waits until there is one.
  [[nodiscard]] Loan borrow();

 private:
  void give_back(std::unique_ptr<Connection> connection);

  std::mutex mutex_;
  std::condition_variable returned_;
  std::deque<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

class PlainConnections::Loan {
 public:
  Loan(PlainConnections& owner, std::unique_ptr<Connection> connection)
      : owner_(owner), connection_(std::move(connection)) {}
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() { owner_.give_back(std::move(connection_)); }

  [[nodiscard]] Connection* operator->() const { return connection_.get(); }
  [[nodiscard]] Connection& operator*() const { return *connection_; }

 private:
  PlainConnections& owner_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace carrel::lab
