#include "carrel/scope/metrics.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/utf8.h"
#include "carrel/scope/inspect.h"

namespace carrel {
namespace {

using base::well_formed;

std::string number_text(double number) {
  if (number == std::floor(number) && std::abs(number) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(number));
  }
  // Not printf, which writes the decimal point that the program's locale asks for.
  std::array<char, 32> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
  return {text.data(), end.ptr};
}

void append_escaped(std::string& text, std::string_view value) {
  for (const char c : well_formed(value)) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
}

// {a="b",le="1"}; nothing without labels.
std::string labels_text(MetricLabels labels, std::string_view upper_bound = {}) {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    text += text.empty() ? '{' : ',';
    text += name;
    text += "=\"";
    append_escaped(text, value);
    text += '"';
  };
  for (const auto& [name, value] : labels) add(name, value);
  if (!upper_bound.empty()) add("le", upper_bound);
  if (!text.empty()) text += '}';
  return text;
}

void append_sample(std::string& text, std::string_view name, std::string_view suffix,
                   const std::string& labels, double value) {
  text += name;
  text += suffix;
  text += labels;
  text += ' ';
  text += number_text(value);
  text += '\n';
}

}  // namespace

std::string& MetricText::family(MetricName metric, std::string_view type) {
  const auto found = families_.find(metric.name);
  if (found != families_.end()) return found->second;
  std::string head = "# HELP ";
  ((head += metric.name) += ' ') += metric.help;
  head += "\n# TYPE ";
  (((head += metric.name) += ' ') += type) += '\n';
  return families_.emplace(metric.name, std::move(head)).first->second;
}

void MetricText::gauge(MetricName metric, MetricLabels labels, double value) {
  append_sample(family(metric, "gauge"), metric.name, "", labels_text(labels), value);
}

void MetricText::counter(MetricName metric, MetricLabels labels, double value) {
  append_sample(family(metric, "counter"), metric.name, "", labels_text(labels), value);
}

void MetricText::histogram(MetricName metric, MetricLabels labels, std::span<const double> bounds,
                           std::span<const std::uint64_t> counts, double sum) {
  std::string& text = family(metric, "histogram");
  std::uint64_t cumulated = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulated += counts[i];
    const std::string bound = i < bounds.size() ? number_text(bounds[i]) : "+Inf";
    append_sample(text, metric.name, "_bucket", labels_text(labels, bound),
                  static_cast<double>(cumulated));
  }
  append_sample(text, metric.name, "_sum", labels_text(labels), sum);
  append_sample(text, metric.name, "_count", labels_text(labels), static_cast<double>(cumulated));
}

std::string MetricText::take() && {
  std::string text;
  for (const auto& [name, samples] : families_) text += samples;
  families_.clear();
  return text;
}

void collect_thread_values(MetricSink& sink) {
  struct Sum {
    std::uint64_t values = 0;
    std::uint64_t bytes = 0;
  };
  const Inspection inspection = inspect();
  std::map<std::string_view, Sum> by_variable;
  std::uint64_t stale = 0;
  for (const InspectedThread& thread : inspection.threads) {
    stale += thread.stale;
    for (const InspectedEntry& entry : thread.entries) {
      Sum& sum = by_variable[entry.variable];
      ++sum.values;
      sum.bytes += entry.bytes;
    }
  }
  sink.gauge({"carrel_threads", "Threads that hold thread-local values or are in a scope."}, {},
             static_cast<double>(inspection.threads.size()));
  sink.gauge({"carrel_stale_entries", "Entries of dead variables in the maps of threads."}, {},
             static_cast<double>(stale));
  for (const auto& [variable, sum] : by_variable) {
    const std::array<std::pair<std::string_view, std::string_view>, 1> labels{
        {{"variable", variable}}};
    sink.gauge({"carrel_thread_values", "Threads that hold a value of the variable."}, labels,
               static_cast<double>(sum.values));
    sink.gauge({"carrel_thread_value_bytes", "Bytes of the variable's values, as recorded."},
               labels, static_cast<double>(sum.bytes));
  }
}

void collect(const Boundary& boundary, std::string_view name, MetricSink& sink) {
  const std::array<std::pair<std::string_view, std::string_view>, 1> labels{{{"boundary", name}}};
  sink.counter({"carrel_tasks_total", "Tasks that have passed the boundary."}, labels,
               static_cast<double>(boundary.tasks()));
  for (const auto& [variable, count] : boundary.leftovers_by_variable()) {
    const std::array<std::pair<std::string_view, std::string_view>, 2> both{
        {{"boundary", name}, {"variable", variable}}};
    sink.counter({"carrel_leftovers_total", "Thread values that tasks have left behind."}, both,
                 static_cast<double>(count));
  }
  const ScopeTimes times = boundary.scope_times();
  std::array<double, ScopeTimes::kBounds.size()> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = std::chrono::duration<double>(ScopeTimes::kBounds[i]).count();
  sink.histogram({"carrel_scope_seconds", "How long the scopes of tasks were open."}, labels,
                 bounds, times.counts, std::chrono::duration<double>(times.total).count());
}

}  // namespace carrel
