// Canceller: ends the running statement from another thread, and nothing but that statement.
//
// PQcancel opens a connection of its own and waits until the server has closed it, for ever if the
// server is stopped. It therefore runs on a thread of its own, which owns all that it touches. Once
// it has returned, the signal is on its way: the connection then makes one empty round trip before
// it sends another statement, so that the signal cannot hit that one.
//
// Threads: request() from any; the rest from the thread that uses the connection.
#pragma once

#include <libpq-fe.h>

#include <memory>

#include "carrel/base/clock.h"

namespace carrel::postgres {

enum class CancelReason { none, asked, deadline };

// How a statement ended, as far as cancelling is concerned.
struct Aftermath {
  CancelReason reason = CancelReason::none;
  bool settled = true;  // false: a request is still under way, the connection is of no use
};

class Canceller {
 public:
  explicit Canceller(PGconn* connection);
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  void statement_begins() noexcept;
  // Waits until a request that is under way has been made.
  [[nodiscard]] Aftermath statement_ends(Clock::Steady deadline) noexcept;

  // Does nothing when no statement runs, or when it is being cancelled already.
  void request(CancelReason reason) noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace carrel::postgres
