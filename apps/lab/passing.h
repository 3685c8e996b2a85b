// The experiment `passing`: the two usual ways to give every function its connection, and a third.
//
// A service of six functions in four layers answers statements of accounts, each in one read-only
// transaction of three statements. It is written three times:
//   passed       the connection is a parameter of every function down to the SQL
//   global_lock  one connection that all functions know, and a lock around the whole request
//   bound        carrel::Session: the functions find the transaction's connection
// Every call takes a round trip, as with a database across a network; eight connections at most.
//
// Throughput is measured from one thread to twice as many as there are connections, the three ways
// in turn, briefly and many times; medians count. Coupling is how many of the functions name the
// connection in their signature, which is counted from their types.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "lab/experiment.h"

namespace carrel::lab {

enum class ConnectionReach { passed, global_lock, bound };

struct PassingOptions {
  std::vector<std::size_t> threads = {1, 2, 4, 8, 16};
  std::size_t connections = 8;
  std::chrono::microseconds round_trip{200};
  std::chrono::milliseconds stretch{60};  // of each measurement
  int repetitions = 9;                    // odd, so that there is a median

  // Tests take the remedy out here, and the experiment must notice.
  ConnectionReach remedy = ConnectionReach::bound;
};

[[nodiscard]] Report run_passing(const PassingOptions& options, const Context& context);

}  // namespace carrel::lab
