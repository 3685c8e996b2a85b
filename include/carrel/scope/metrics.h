// Metrics: Carrel's figures in the terms of Prometheus, without needing Prometheus.
//
// A MetricSink takes figures as they are collected: adapt it to the metrics library that the
// program already has, or use MetricText, which writes the text that a Prometheus server scrapes.
//
//   MetricText text;
//   collect_thread_values(text);            // carrel_thread_values by variable
//   collect(boundary, "requests", text);    // carrel_leftovers_total, carrel_scope_seconds
//   response.body() = std::move(text).take();
//
// Threads: collecting is safe from any; a sink is used by one at a time.
// Lifetime: labels and figures are only lent for the call. Errors: what the sink throws.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/scope/boundary.h"

namespace carrel {

struct MetricName {
  std::string_view name;
  std::string_view help;
};
using MetricLabels = std::span<const std::pair<std::string_view, std::string_view>>;

class MetricSink {
 public:
  MetricSink() = default;
  MetricSink(const MetricSink&) = delete;
  MetricSink& operator=(const MetricSink&) = delete;
  virtual ~MetricSink() = default;

  virtual void gauge(MetricName metric, MetricLabels labels, double value) = 0;
  virtual void counter(MetricName metric, MetricLabels labels, double value) = 0;
  // `counts` has one more than `bounds` (upper ones, ascending): each what lies within its own
  // bounds, not cumulated.
  virtual void histogram(MetricName metric, MetricLabels labels, std::span<const double> bounds,
                         std::span<const std::uint64_t> counts, double sum) = 0;
};

// The Prometheus text format 0.0.4, families kept together.
class MetricText final : public MetricSink {
 public:
  void gauge(MetricName metric, MetricLabels labels, double value) override;
  void counter(MetricName metric, MetricLabels labels, double value) override;
  void histogram(MetricName metric, MetricLabels labels, std::span<const double> bounds,
                 std::span<const std::uint64_t> counts, double sum) override;

  [[nodiscard]] std::string take() &&;

 private:
  std::string& family(MetricName metric, std::string_view type);
  std::map<std::string, std::string, std::less<>> families_;
};

// carrel_threads, carrel_thread_values{variable}, carrel_thread_value_bytes{variable},
// carrel_stale_entries.
void collect_thread_values(MetricSink& sink);

// carrel_tasks_total{boundary}, carrel_leftovers_total{boundary,variable},
// carrel_scope_seconds{boundary}.
void collect(const Boundary& boundary, std::string_view name, MetricSink& sink);

}  // namespace carrel
