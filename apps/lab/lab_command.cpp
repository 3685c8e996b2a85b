#include "lab/lab_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "carrel/base/error.h"
#include "lab/experiment.h"
#include "lab/lab_run.h"

namespace carrel::lab {
namespace {

struct Arguments {
  std::string name;
  std::filesystem::path out = "lab-out";
  std::filesystem::path jvm = CARREL_LAB_JVM_TWINS;  // of the source tree; set by CMakeLists.txt
  std::uint64_t seed = 1;
  std::string postgres;
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

int run(const Arguments& arguments) {
  if (arguments.name.empty()) return list_experiments(), kStatusShown;
  return run_experiments(chosen(arguments.name),
                         {.charts = arguments.out,
                          .jvm_twins = arguments.jvm,
                          .postgres = arguments.postgres,
                          .seed = arguments.seed,
                          .output = arguments.json ? Output::json : Output::text},
                         std::cout, std::cerr);
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
  command
      ->add_option(
          "--jvm", arguments->jvm,
          "Folder of the Java twins, which run where there is a JDK; empty: do not run them")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "For what happens at random")
      ->capture_default_str();
  command->add_option("--postgres", arguments->postgres,
                      "A server for connection, split and utilisation, instead of SQLite files: "
                      "postgresql://user:password@host:port/database");
  command->add_flag("--json", arguments->json, "Print the measurements as JSON and nothing else");
  command->callback([arguments] {
    if (const int status = run_and_explain(*arguments); status != 0)
      throw CLI::RuntimeError(status);
  });
}

}  // namespace carrel::lab
