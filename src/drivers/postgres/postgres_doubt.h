// What became of a transaction whose COMMIT got no answer, asked over a fresh connection.
//
// PostgreSQL keeps the fate of recent transactions by number (txid_status, since version 10). The
// answer is trusted only from the same run of the same server: after a promotion or a crash,
// numbers that were not on disk are given out again, and the answer would be another transaction's.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>

#include "carrel/db/connection.h"
#include "carrel/drivers/postgres.h"

namespace carrel::postgres {

enum class Fate { committed, rolled_back, unknown };

// Rides along with BEGIN: gives the transaction its number, and tells it.
inline constexpr const char* kTransactionNumber = "select txid_current()";

// Names the server's run: the cluster, its timeline, and when its statistics began, which a
// recovery from a crash resets. Empty on a standby.
[[nodiscard]] std::string run_of(Connection& connection);

// How many connections of one driver ask at once: a server that comes back is not met by one for
// each that it lost. Threads: safe from any.
class Askers {
 public:
  static constexpr int kMax = 2;
  class Turn;

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  int asking_ = 0;  // guarded by mutex_
};

// The right to ask, while it lives.
class Askers::Turn {
 public:
  // Waits for it, at most until then.
  Turn(Askers& askers, Clock::Steady until);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();
  explicit operator bool() const noexcept { return held_; }

 private:
  Askers& askers_;
  bool held_;
};

// Asks until it is known or `until` has passed. `run` is what run_of() gave on the lost connection.
[[nodiscard]] Fate fate_of(const PostgresOptions& options, Askers& askers,
                           const std::string& number, const std::string& run, Clock::Steady until);

}  // namespace carrel::postgres
