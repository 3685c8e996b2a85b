#include "lab/lab_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "carrel/base/error.h"
#include "lab/report_json.h"
#include "lab/report_text.h"
#include "lab/svg_chart.h"

namespace carrel::lab {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point started) {
  return std::chrono::duration<double>(SteadyClock::now() - started).count();
}

std::filesystem::path write_chart(const Chart& chart, const std::filesystem::path& folder) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  const std::filesystem::path path = folder / (chart.file_name + ".svg");
  std::ofstream file(path);
  file << draw_as_svg(chart);
  file.close();
  if (!file) throw Error("lab.cannot_write", fmt::format("cannot write {}", path.string()));
  return path;
}

class Run {
 public:
  Run(std::size_t experiments, const RunOptions& options, std::ostream& out, std::ostream& progress)
      : experiments_(experiments), options_(options), out_(out), progress_(progress) {}

  void add(const Experiment& experiment) {
    ++number_;
    try {
      const auto started = SteadyClock::now();
      say(experiment, experiment.summary);
      Report report = measure(experiment);
      show(report);
      say(experiment, fmt::format("{} in {:.1f} s", report.supported() ? "shown" : "NOT SHOWN",
                                  seconds_since(started)));
      results_.reports.push_back(std::move(report));
    } catch (const Error& error) {
      say(experiment, fmt::format("could not be measured: {}", error.what()));
      results_.not_measured.push_back({std::string(experiment.name), error.what()});
    }
  }

  int finish() {
    if (experiments_ > 1)
      progress_ << fmt::format("{} experiments in {:.0f} s\n", experiments_,
                               seconds_since(started_))
                << std::flush;
    if (options_.output == Output::json) out_ << to_json(results_) << std::endl;
    if (!results_.not_measured.empty()) return kStatusTrouble;
    return results_.supported() ? kStatusShown : kStatusNotShown;
  }

 private:
  void say(const Experiment& experiment, std::string_view what) {
    if (experiments_ > 1) progress_ << fmt::format("[{}/{}] ", number_, experiments_);
    progress_ << fmt::format("{}: {}\n", experiment.name, what) << std::flush;
  }

  Report measure(const Experiment& experiment) {
    return experiment.run({.seed = options_.seed,
                           .progress = [&](std::string_view what) { say(experiment, what); },
                           .jvm_twins = options_.jvm_twins,
                           .postgres = options_.postgres});
  }

  void show(const Report& report) {
    const bool text = options_.output == Output::text;
    if (text) out_ << to_text(report) << std::flush;
    for (const Chart& chart : report.charts) {
      const auto path = write_chart(chart, options_.charts);
      if (text) out_ << "chart: " << path.string() << '\n';
    }
    if (text) out_ << std::flush;
  }

  const std::size_t experiments_;
  const RunOptions& options_;
  std::ostream& out_;
  std::ostream& progress_;
  const SteadyClock::time_point started_ = SteadyClock::now();
  std::size_t number_ = 0;
  Results results_;
};

}  // namespace

int run_experiments(std::span<const Experiment* const> chosen, const RunOptions& options,
                    std::ostream& out, std::ostream& progress) {
  Run run(chosen.size(), options, out, progress);
  for (const Experiment* experiment : chosen) run.add(*experiment);
  return run.finish();
}

}  // namespace carrel::lab
