// Canceller: ends the running statement from another thread, and nothing but that statement.
//
// Asking a server to cancel means talking to it over another connection, which takes as long as it
// takes (for ever, if the server is stopped). It therefore happens on a thread of its own, which
// owns all that it touches. Once `send` has returned, the signal is on its way: the connection then
// makes one round trip that does nothing before it sends another statement.
//
// A connection that was given up leaves its statement to the server, which may not notice for as
// long as the statement runs. So whoever was cancelling it asks once more, about the connection.
//
// Threads: request() from any; the rest from the thread that uses the connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "carrel/base/clock.h"

namespace carrel::remote {

enum class CancelReason : std::uint8_t { none, asked, deadline };

enum class CancelTarget : std::uint8_t { statement, connection };

// How a statement ended, as far as cancelling is concerned.
struct Aftermath {
  CancelReason reason = CancelReason::none;
  bool settled = true;       // false: a request is still under way, the connection is of no use
  Clock::Steady limit = {};  // where there was a reason: until when cleaning up may take
};

class Canceller {
 public:
  // `send` asks the server and waits until it has been heard. Runs on a thread that may outlive the
  // connection, and must not throw.
  explicit Canceller(std::function<void(CancelTarget)> send);
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  void statement_begins() noexcept;
  // Waits for a request that is under way, within the time that cleaning up may take in all. What
  // does not end within it gives the connection up, and so does a connection of no use.
  [[nodiscard]] Aftermath statement_ends(std::chrono::milliseconds grace, bool of_use) noexcept;

  // Does nothing when no statement runs, or when it is being cancelled already.
  void request(CancelReason reason) noexcept;

  // Expired once the canceller is gone and no request is under way any more.
  [[nodiscard]] std::weak_ptr<const void> remains() const noexcept { return state_; }

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::uint64_t number_ = 0;  // of the statement; the connection's thread alone counts
};

}  // namespace carrel::remote
