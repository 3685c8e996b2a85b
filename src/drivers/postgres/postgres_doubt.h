// What became of a transaction whose COMMIT got no answer, asked over a fresh connection.
//
// PostgreSQL keeps the fate of recent transactions by number (txid_status, since version 10). The
// answer is trusted only from the same run of the same server: after a promotion or a crash,
// numbers that were not on disk are given out again, and the answer would be another transaction's.
#pragma once

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

// Asks until it is known or `until` has passed. `run` is what run_of() gave on the lost connection.
[[nodiscard]] Fate fate_of(const PostgresOptions& options, const std::string& number,
                           const std::string& run, Clock::Steady until);

}  // namespace carrel::postgres
