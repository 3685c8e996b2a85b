#include "carrel/scope/inspect.h"

#include <algorithm>
#include <utility>

#include "carrel/local/internal/inspect.h"
#include "scope/json_text.h"
#include "scope/thread_label.h"
#include "scope/ticks.h"

namespace carrel {
namespace {

InspectedThread from(local::ThreadReport&& report) {
  InspectedThread thread{.number = report.thread,
                         .capacity = report.capacity,
                         .used = report.entries,
                         .stale = report.stale};
  thread.entries.reserve(report.values.size());
  for (local::ValueRecord& value : report.values)
    thread.entries.push_back({.variable = std::move(value.variable),
                              .type = std::move(value.type),
                              .bytes = value.bytes,
                              .outlives_tasks = value.lifetime == Lifetime::thread,
                              .age = value.age,
                              .shared = value.shared});
  return thread;
}

}  // namespace

Inspection inspect(const Clock& clock) {
  Inspection inspection;
  const local::ProcessFigures figures = local::process_figures();
  inspection.variables = figures.variables;
  inspection.abandoned = figures.abandoned;
  for (local::ThreadReport& report : local::inspect_threads())
    inspection.threads.push_back(from(std::move(report)));

  const std::uint64_t now = scope::ticks_now(clock);
  for (const scope::LabelCopy& label : scope::read_labels()) {
    if (label.depth == 0) continue;
    auto thread = std::ranges::find(inspection.threads, label.thread, &InspectedThread::number);
    // A thread that holds no value of its own is known by its scope alone.
    if (label.thread == 0 || thread == inspection.threads.end())
      thread = inspection.threads.insert(inspection.threads.end(), {.number = label.thread});
    thread->scope = label.name.view();
    thread->depth = label.depth;
    thread->scope_age = scope::ticks_between(label.started_ticks, now, clock);
  }
  return inspection;
}

std::string to_json(const Inspection& inspection) {
  scope::JsonText json;
  json.begin('{');
  json.member("variables", inspection.variables);
  json.member("abandoned", inspection.abandoned);
  json.key("threads");
  json.begin('[');
  for (const InspectedThread& thread : inspection.threads) {
    const auto age = std::chrono::duration_cast<std::chrono::microseconds>(thread.scope_age);
    std::size_t bytes = 0;
    for (const InspectedEntry& entry : thread.entries) bytes += entry.bytes;
    json.begin('{');
    json.member("thread", thread.number);
    json.member("scope", thread.scope);
    json.member("depth", thread.depth);
    json.member("scope_age_us", std::max<std::int64_t>(0, age.count()));
    json.member("capacity", thread.capacity);
    json.member("used", thread.used);
    json.member("stale", thread.stale);
    json.member("bytes", bytes);
    json.key("entries");
    json.begin('[');
    for (const InspectedEntry& entry : thread.entries) {
      json.begin('{');
      json.member("variable", entry.variable);
      json.member("type", entry.type);
      json.member("bytes", entry.bytes);
      json.member("lifetime", entry.outlives_tasks ? "thread" : "task");
      json.member("shared", entry.shared);
      json.member("age_ms", std::max<std::int64_t>(0, entry.age.count()));
      json.end('}');
    }
    json.end(']');
    json.end('}');
  }
  json.end(']');
  json.end('}');
  return std::move(json).take();
}

}  // namespace carrel
