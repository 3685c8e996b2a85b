#include "carrel/scope/boundary.h"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <source_location>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/base/assert.h"
#include "local/without_memory.h"
#include "scope/exception_text.h"
#include "scope/striped_counters.h"
#include "scope/ticks.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetweenLines = 1s;  // of the default printer
// A removed leftover's destructor may leave others: as often as a thread's map tries at its exit.
// What there is even then stays, and is reported: never an endless loop.
constexpr int kClearRounds = 8;

std::string describe(const Leftover& leftover) {
  return "task '" + leftover.task + "' left '" + leftover.variable + "' (" + leftover.type + ", " +
         std::to_string(leftover.bytes) + " bytes, " + std::to_string(leftover.age.count()) +
         " ms old) on its thread after " +
         std::to_string(
             std::chrono::duration_cast<std::chrono::microseconds>(leftover.task_age).count()) +
         " us";
}

std::string describe(std::span<const Leftover> leftovers) {
  std::string text;
  for (const Leftover& leftover : leftovers) {
    if (!text.empty()) text += "; ";
    text += describe(leftover);
  }
  return text;
}

// Where describe() finds no memory: the first one, and how many there are.
class ShortDescription {
 public:
  ShortDescription(std::span<const Leftover> found, std::size_t unrecorded,
                   std::string_view task) noexcept {
    const char* const variable = found.empty() ? "?" : found.front().variable.c_str();
    std::snprintf(text_.data(), text_.size(),
                  "task '%.*s' left %zu values on its thread ('%s', ...)",
                  static_cast<int>(task.size()), task.data(), found.size() + unrecorded, variable);
  }
  [[nodiscard]] std::string_view view() const noexcept { return text_.data(); }

 private:
  std::array<char, 256> text_{};
};

[[noreturn]] void stop_for(std::span<const Leftover> found, std::size_t unrecorded,
                           std::string_view task) noexcept {
  const auto stop = [](std::string_view text) {
    base::assertion_failed("a task leaves nothing", text, std::source_location::current());
  };
  try {
    if (unrecorded == 0) stop(describe(found));
  } catch (const std::bad_alloc&) {
    // Said shorter, below.
  }
  stop(ShortDescription(found, unrecorded, task).view());
  std::abort();  // stop() has done so; its type does not say it
}

}  // namespace

struct Boundary::Figures {
  static constexpr std::size_t kTotalNs = ScopeTimes::kBounds.size() + 1;

  // Figures and a turn to print: they order nothing, so that every access to them is relaxed.
  scope::StripedCounters<kTotalNs + 1> times;  // a counter per bound, then the sum
  std::atomic<std::uint64_t> leftovers{0};
  std::atomic<std::uint64_t> printer_failures{0};
  std::atomic<Clock::Steady::rep> next_line{Clock::Steady::min().time_since_epoch().count()};
  std::atomic<std::uint64_t> unprinted{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t> by_variable;  // guarded by mutex_

  void count_time(std::chrono::nanoseconds open) noexcept {
    std::size_t bucket = 0;
    while (bucket < ScopeTimes::kBounds.size() && open > ScopeTimes::kBounds[bucket]) ++bucket;
    times.add({{bucket, 1}, {kTotalNs, static_cast<std::uint64_t>(open.count())}});
  }

  void count_leftovers(std::span<const Leftover> found, std::size_t unrecorded) noexcept {
    leftovers.fetch_add(found.size() + unrecorded, std::memory_order_relaxed);
    try {
      for (const Leftover& leftover : found) count_leftover(leftover.variable);
    } catch (const std::bad_alloc&) {
      // No room for one more variable: the sum above has it.
    }
  }

  // Nothing is allocated or freed under the lock, here and below: the program's operator new may
  // run tasks behind a boundary itself.
  void count_leftover(const std::string& variable) {
    if (count_known(variable)) return;
    std::map<std::string, std::uint64_t> fresh{{variable, 0}};
    {
      const std::scoped_lock lock(mutex_);
      by_variable.merge(fresh);  // moves the node, unless another task was faster
    }
    count_known(variable);
  }
  bool count_known(const std::string& variable) {
    const std::scoped_lock lock(mutex_);
    const auto known = by_variable.find(variable);
    if (known == by_variable.end()) return false;
    ++known->second;
    return true;
  }
  // The names stay where they are: none is ever taken out.
  [[nodiscard]] std::vector<std::pair<const std::string*, std::uint64_t>> list_leftovers() const {
    std::vector<std::pair<const std::string*, std::uint64_t>> list;
    // The room comes first, and grows until all fit.
    for (std::size_t variables = 1; variables > list.capacity();) {
      list.reserve(variables * 2);
      list.clear();
      const std::scoped_lock lock(mutex_);
      variables = by_variable.size();
      if (variables > list.capacity()) continue;
      for (const auto& [variable, count] : by_variable) list.emplace_back(&variable, count);
    }
    return list;
  }

  // Whether a line may be printed now: then how many were not, since the last one.
  std::optional<std::uint64_t> may_print(Clock::Steady now) noexcept {
    auto next = next_line.load(std::memory_order_relaxed);
    const bool printing =
        now.time_since_epoch().count() >= next &&
        next_line.compare_exchange_strong(next, (now + kBetweenLines).time_since_epoch().count(),
                                          std::memory_order_relaxed);
    if (printing) return unprinted.exchange(0, std::memory_order_relaxed);
    unprinted.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
};

Boundary::Boundary(BoundaryOptions options)
    : options_(std::move(options)), figures_(std::make_unique<Figures>()) {}

Boundary::~Boundary() = default;

Boundary::Audit::~Audit() {
  if (started_ticks_ == kNotBegun) [[unlikely]]
    return;  // its scope could not be opened: there was no task
  const Clock& clock = *options_.clock;
  const auto age = scope::ticks_between(started_ticks_, scope::ticks_now(clock), clock);
  boundary_.figures_->count_time(age);
  if (boundary_.options_.audit != AuditPolicy::off && local::changed_since(mark_)) [[unlikely]]
    boundary_.audit(mark_, options_, age);
}

void Boundary::audit(local::AuditMark mark, const ScopeOptions& task,
                     std::chrono::nanoseconds age) noexcept {
  const bool clears = options_.audit == AuditPolicy::clear;
  std::vector<Leftover> found;
  std::size_t unrecorded = 0;
  std::size_t coming_back = 0;
  for (int round = 0;; ++round) {
    const auto recorded = static_cast<std::ptrdiff_t>(found.size());
    try {
      const std::vector<local::ValueRecord> values = local::values_since(mark);
      for (const local::ValueRecord& value : values)
        found.push_back({.variable = value.variable,
                         .type = value.type,
                         .bytes = value.bytes,
                         .age = value.age,
                         .task = std::string(task.name.view()),
                         .task_age = age});
      if (values.empty() || !clears) break;
      if (round == kClearRounds) {
        coming_back = values.size();
        break;
      }
      // Newest first, as at the thread's exit: a later value may use an earlier one.
      for (auto value = values.rbegin(); value != values.rend(); ++value)
        local::remove_value(value->key);
    } catch (const std::bad_alloc&) {
      // The next task must not find them, whether they can be named or not.
      found.erase(found.begin() + recorded, found.end());
      if (clears) unrecorded = local::remove_since(mark);
      const std::size_t left = local::count_since(mark);
      unrecorded += left;
      if (clears) coming_back = left;
      break;
    }
  }
  if (found.empty() && unrecorded == 0) return;
  figures_->count_leftovers(found, unrecorded);
  if (unrecorded != 0)
    std::fprintf(stderr, "carrel: no memory to report %zu values that a task left\n", unrecorded);
  if (coming_back != 0)
    std::fprintf(stderr,
                 "carrel: task '%.*s' left %zu values that destructors made again and again: they "
                 "stay on its thread\n",
                 static_cast<int>(task.name.view().size()), task.name.view().data(), coming_back);
  if (!found.empty()) report(found, *task.clock);
  if (options_.audit == AuditPolicy::abort) stop_for(found, unrecorded, task.name.view());
}

void Boundary::report(std::span<const Leftover> found, const Clock& clock) noexcept {
  try {
    if (options_.on_leftover) {
      options_.on_leftover(found);
    } else if (const auto unprinted = figures_->may_print(clock.steady_now())) {
      const std::string more =
          *unprinted == 0 ? "" : " (and " + std::to_string(*unprinted) + " tasks before)";
      std::fprintf(stderr, "carrel: %s%s\n", describe(found).c_str(), more.c_str());
    }
  } catch (...) {  // the printer is the user's: its failure must not become the task's
    figures_->printer_failures.fetch_add(1, std::memory_order_relaxed);
    std::fprintf(stderr, "carrel: on_leftover threw: %s\n", scope::text_of_current_exception());
  }
}

std::uint64_t Boundary::tasks() const noexcept {
  std::uint64_t tasks = 0;
  for (const std::uint64_t count : scope_times().counts) tasks += count;
  return tasks;
}

std::uint64_t Boundary::leftovers() const noexcept {
  return figures_->leftovers.load(std::memory_order_relaxed);
}

std::uint64_t Boundary::printer_failures() const noexcept {
  return figures_->printer_failures.load(std::memory_order_relaxed);
}

std::map<std::string, std::uint64_t> Boundary::leftovers_by_variable() const {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [variable, count] : figures_->list_leftovers())
    counts.emplace_hint(counts.end(), *variable, count);
  return counts;
}

ScopeTimes Boundary::scope_times() const noexcept {
  ScopeTimes times;
  for (std::size_t i = 0; i < times.counts.size(); ++i) times.counts[i] = figures_->times.sum(i);
  times.total = std::chrono::nanoseconds(figures_->times.sum(Figures::kTotalNs));
  return times;
}

}  // namespace carrel
