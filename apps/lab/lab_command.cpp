#include "lab/lab_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "carrel/base/error.h"
#include "lab/experiment.h"
#include "lab/report_json.h"
#include "lab/report_text.h"
#include "lab/svg_chart.h"

namespace carrel::lab {
namespace {

constexpr int kStatusNotShown = 1;  // a claim was not supported
constexpr int kStatusTrouble = 2;   // nothing was measured

struct Arguments {
  std::string name;
  std::filesystem::path out = "lab-out";
  std::uint64_t seed = 1;
  bool json = false;
};

void list_experiments() {
  std::cout << "carrel lab NAME runs one of these, carrel lab all runs all:\n";
  for (const Experiment& experiment : experiments())
    std::cout << fmt::format("  {:<12}{}\n", experiment.name, experiment.summary);
}

std::vector<const Experiment*> chosen(const std::string& name) {
  std::vector<const Experiment*> list;
  for (const Experiment& experiment : experiments())
    if (name == "all" || experiment.name == name) list.push_back(&experiment);
  if (list.empty())
    throw Error("lab.unknown_experiment",
                fmt::format("there is no experiment \"{}\"; carrel lab lists them", name));
  return list;
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

int run(const Arguments& arguments) {
  if (arguments.name.empty()) return list_experiments(), 0;
  std::vector<Report> reports;
  for (const Experiment* experiment : chosen(arguments.name)) {
    const Context context{.seed = arguments.seed, .progress = [&](std::string_view what) {
                            std::cerr << fmt::format("{}: {}\n", experiment->name, what);
                          }};
    Report report = experiment->run(context);
    if (!arguments.json) std::cout << to_text(report) << std::flush;
    for (const Chart& chart : report.charts) {
      const auto path = write_chart(chart, arguments.out);
      if (!arguments.json) std::cout << "chart: " << path.string() << '\n';
    }
    reports.push_back(std::move(report));
  }
  if (arguments.json) std::cout << to_json(reports) << std::endl;
  return std::ranges::all_of(reports, &Report::supported) ? 0 : kStatusNotShown;
}

int run_and_explain(const Arguments& arguments) {
  try {
    return run(arguments);
  } catch (const Error& error) {
    std::cerr << "carrel lab: " << error.what() << '\n';
    return kStatusTrouble;
  }
}

}  // namespace

void add_lab_command(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();  // lives as long as the callback that uses it
  CLI::App* command = app.add_subcommand(
      "lab", "Reproduce the failures that Carrel answers, and measure the answers beside them");
  command->add_option("name", arguments->name, "An experiment, or all; without it they are listed");
  command->add_option("--out", arguments->out, "Folder for the charts")->capture_default_str();
  command->add_option("--seed", arguments->seed, "For what happens at random")
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "Print the measurements as JSON and nothing else");
  command->callback([arguments] {
    if (const int status = run_and_explain(*arguments); status != 0)
      throw CLI::RuntimeError(status);
  });
}

}  // namespace carrel::lab
