// The experiment `utilisation`: what a service does with its eight connections.
//
// A request spends a fifth of its time in two statements, and waits for something else in the rest.
// It runs on ever more threads, with at most eight connections to the database:
//   connect_each          every request opens a connection and closes it
//   bound_to_thread       a thread keeps the first connection it gets
//   held_for_request      the request borrows one when it begins and returns it when it ends
//   borrowed_while_used   carrel::Session: borrowed for each statement
//
// What is measured: requests a second, threads that were never served, and the share of the time on
// loan in which a connection did nothing, as carrel::Pool samples it.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "lab/experiment.h"

namespace carrel::lab {

enum class ConnectionUse { connect_each, bound_to_thread, held_for_request, borrowed_while_used };

struct UtilisationOptions {
  std::vector<std::size_t> threads = {8, 16, 32, 48};
  std::size_t connections = 8;
  std::chrono::milliseconds statement{2};   // two of them a request
  std::chrono::milliseconds elsewhere{8};   // after each statement
  std::chrono::milliseconds stretch{400};   // of each measurement
  std::chrono::milliseconds patience{100};  // of who waits for a connection

  // What counts as shown; tests on a busy machine ask for less.
  double gain_min = 3;         // requests a second over holding
  double idle_held_min = 0.6;  // share of its loan that a connection held for the request is idle

  // Tests take the remedy out here, and the experiment must notice.
  ConnectionUse remedy = ConnectionUse::borrowed_while_used;
};

[[nodiscard]] Report run_utilisation(const UtilisationOptions& options, const Context& context);

}  // namespace carrel::lab
