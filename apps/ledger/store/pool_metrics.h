// The figures of a book's connections, as metrics.
//
// Threads: as MetricSink. Errors: what the sink throws.
#pragma once

#include <string_view>

#include "carrel/db/pool.h"
#include "carrel/scope/metrics.h"

namespace carrel::ledger {

void collect_connections(const PoolStats& stats, std::string_view book, MetricSink& sink);

}  // namespace carrel::ledger
