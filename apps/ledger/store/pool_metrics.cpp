#include "ledger/store/pool_metrics.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace carrel::ledger {
namespace {

using Label = std::pair<std::string_view, std::string_view>;

double real(std::uint64_t count) {
  return static_cast<double>(count);
}

}  // namespace

void collect_connections(const PoolStats& stats, std::string_view book, MetricSink& sink) {
  const std::array<Label, 1> of_book{{{"book", book}}};
  for (const auto& [state, count] :
       {std::pair{"active", stats.active}, std::pair{"idle", stats.idle}}) {
    const std::array<Label, 2> labels{{{"book", book}, {"state", state}}};
    sink.gauge({"carrel_connections", "Open database connections."}, labels, real(count));
  }
  sink.gauge({"carrel_connection_waiters", "Who waits for a connection."}, of_book,
             real(stats.waiting));
  const auto counter = [&](MetricName name, double value) { sink.counter(name, of_book, value); };
  counter({"carrel_connection_borrows_total", "Connections lent."}, real(stats.borrowed));
  counter({"carrel_connection_waits_total", "Borrows that had to wait."}, real(stats.waited));
  counter({"carrel_connection_wait_seconds_total", "Time that those waited."},
          std::chrono::duration<double>(stats.wait_time).count());
  counter({"carrel_connection_uses_measured_total", "Loans that were timed: one in 64."},
          real(stats.measured));
  counter({"carrel_connection_use_seconds_total", "Time that those lasted."},
          std::chrono::duration<double>(stats.use_time).count());
  counter({"carrel_connection_timeouts_total", "Waits that ended without a connection."},
          real(stats.timeouts));
  counter({"carrel_connections_created_total", "Connections opened."}, real(stats.created));
  counter({"carrel_connection_failures_total", "Connections that could not be opened."},
          real(stats.connect_failures));
  for (const auto& [reason, count] :
       {std::pair{"broken", stats.closed_broken}, std::pair{"idle", stats.closed_idle},
        std::pair{"life", stats.closed_life}, std::pair{"invalid", stats.closed_invalid},
        std::pair{"drained", stats.closed_drained}}) {
    const std::array<Label, 2> labels{{{"book", book}, {"reason", reason}}};
    sink.counter({"carrel_connections_closed_total", "Connections closed."}, labels, real(count));
  }
  for (std::size_t place = 0; place < stats.utilisation.size(); ++place) {
    const std::string number = std::to_string(place);
    const std::array<Label, 2> labels{{{"book", book}, {"place", number}}};
    sink.gauge({"carrel_connection_utilisation", "Share of the time on loan in which SQL ran."},
               labels, stats.utilisation[place]);
  }
}

}  // namespace carrel::ledger
