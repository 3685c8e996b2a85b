// The experiment `mixup`: a marker that stays on the thread sends the next request's rows into the
// wrong tables.
//
// A service that knew only consumers was taught merchants: their entry sets a marker, the code that
// writes rows reads it, and without a marker the tables are the consumers', as before. Requests of
// both kinds, some of which throw, run on shared threads and write into real SQLite tables:
//   left_behind  the marker is a thread_local that nobody removes
//   by_hand      it is removed after the call, which an exception skips
//   scope        it is bound in the request's scope, and there is no default
// Everything but the place of the marker is the same: pool, SQL, session, requests, exceptions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "lab/experiment.h"

namespace carrel::lab {

enum class MarkerHandling { left_behind, by_hand, scope };

struct MixupOptions {
  std::size_t threads = 4;
  std::size_t requests = 100'000;  // for each handling
  double merchant_share = 0.3;
  double exception_share = 0.02;  // half of them before the row is written, half after

  // Tests take the remedy out here, and the experiment must notice.
  MarkerHandling remedy = MarkerHandling::scope;
};

[[nodiscard]] Report run_mixup(const MixupOptions& options, const Context& context);

}  // namespace carrel::lab
