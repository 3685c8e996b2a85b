#include "lab/context.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lab/handover.h"

namespace carrel::lab {
namespace {

constexpr std::size_t kStretches = 10;  // points of the chart
constexpr Handover kHandovers[] = {Handover::pool, Handover::nested, Handover::coroutine};

std::string_view describe(Handover handover, ContextIn context_in) {
  if (context_in == ContextIn::thread_local_variable) return "thread_local";
  return handover == Handover::coroutine ? "scope_executor" : "Snapshot";
}

struct Trial {
  Handover handover;
  ContextIn context_in;
  std::int64_t requests = 0;
  std::int64_t right = 0;
  std::int64_t lost = 0;
  std::int64_t stale = 0;
  Series wrong;  // lost or stale, over requests served

  [[nodiscard]] std::string name() const {
    return fmt::format("{}, {}", name_of(handover), describe(handover, context_in));
  }
};

Trial run_trial(Handover handover, ContextIn context_in, const ContextOptions& options,
                const Context& context) {
  Trial trial{.handover = handover, .context_in = context_in, .wrong = {}};
  trial.wrong = {trial.name(), {{0, 0}}};
  context.progress(fmt::format("{} requests, {}", options.requests, trial.name()));
  Handovers handovers(handover, context_in, options);
  const Judgement& judgement = handovers.judgement();
  std::size_t served = 0;
  for (std::size_t stretch = 1; stretch <= kStretches; ++stretch) {
    const std::size_t end = options.requests * stretch / kStretches;
    handovers.serve(served, end);
    served = end;
    trial.wrong.points.push_back(
        {static_cast<double>(served) / 1000,
         static_cast<double>(judgement.lost() + judgement.stale()) / 1000});
  }
  trial.requests = static_cast<std::int64_t>(served);
  trial.right = judgement.right();
  trial.lost = judgement.lost();
  trial.stale = judgement.stale();
  return trial;
}

Table table_of(const std::vector<Trial>& trials) {
  Table table{.title = "Tenant and trace id on the far side of a hand-over",
              .columns = {{"hand-over"}, {"kept by"}, {"requests"}, {"right"}, {"lost"}, {"stale"}},
              .rows = {}};
  for (const Trial& trial : trials)
    table.rows.push_back({std::string(name_of(trial.handover)),
                          std::string(describe(trial.handover, trial.context_in)), trial.requests,
                          trial.right, trial.lost, trial.stale});
  return table;
}

void add_findings(const Trial& trial, Report& report) {
  const auto add = [&](std::string_view what, std::int64_t measured, Relation relation,
                       double required) {
    report.findings.push_back({fmt::format("{}, {}", what, trial.name()),
                               static_cast<double>(measured), relation, required});
  };
  if (trial.context_in == ContextIn::request) {
    add("lost", trial.lost, Relation::exactly, 0);
    add("stale", trial.stale, Relation::exactly, 0);
    add("right", trial.right, Relation::exactly, static_cast<double>(trial.requests));
  } else if (trial.handover == Handover::pool) {
    add("lost", trial.lost, Relation::more_than, 0);  // nobody has ever set it there
  } else {
    add("stale", trial.stale, Relation::more_than, 0);  // others have, before and meanwhile
  }
}

}  // namespace

Report run_context(const ContextOptions& options, const Context& context) {
  std::vector<Trial> trials;
  for (const ContextIn context_in : {ContextIn::thread_local_variable, ContextIn::request})
    for (const Handover handover : kHandovers)
      trials.push_back(run_trial(handover, context_in, options, context));

  Report report{.name = "context",
                .claim =
                    "a tenant and a trace id in a thread_local are lost or somebody else's after "
                    "every kind of hand-over; a snapshot or a scope_executor takes them along"};
  report.tables.push_back(table_of(trials));
  Chart chart{.file_name = "context-wrong",
              .title = "Hand-overs whose tenant or trace id was lost or stale",
              .x = {"requests served", "thousands"},
              .y = {"lost or stale", "thousands"},
              .series = {}};
  for (Trial& trial : trials) {
    add_findings(trial, report);
    chart.series.push_back(std::move(trial.wrong));
  }
  report.charts.push_back(std::move(chart));
  return report;
}

}  // namespace carrel::lab
