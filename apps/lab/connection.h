// The experiment `connection`: what becomes of one static connection that all threads share.
//
// The class of every first tutorial: open() makes the connection if there is none and hands it out,
// close() closes it. Requests on five threads use it, each for one transaction of two rows; some
// roll back. Three states of its repair, and then none of it:
//   closed_after_use   as the tutorial has it: each request closes the connection when it is done
//   forgotten_closed   the closed one is forgotten, so that the next request opens another
//   never_closed       nobody closes it any more
//   bound              a carrel::Session: the transaction borrows a connection and gives it back
// Every call locks the connection, and one that is closed says so, as JDBC's do: without that,
// sharing would be undefined behaviour, and nothing to count.
//
// What is counted: connections opened beside one that was open already; requests whose connection
// was closed while they used it, or before they got it; and what the table says in the end against
// what each request was told: committed and gone, rolled back (or failed) and there.
#pragma once

#include <chrono>
#include <cstddef>

#include "lab/experiment.h"

namespace carrel::lab {

enum class ConnectionKeeping { closed_after_use, forgotten_closed, never_closed, bound };

struct ConnectionOptions {
  std::size_t threads = 5;
  std::size_t requests = 4'000;  // for each way to keep the connection
  std::size_t starts = 20;       // of the service, each with so large a part of the requests
  double rollback_share = 0.2;
  std::chrono::microseconds round_trip{50};  // of each call on the shared connection
  std::chrono::microseconds pause{50};       // what a request does between its statements

  // Tests take the remedy out here, and the experiment must notice.
  ConnectionKeeping remedy = ConnectionKeeping::bound;
};

[[nodiscard]] Report run_connection(const ConnectionOptions& options, const Context& context);

}  // namespace carrel::lab
