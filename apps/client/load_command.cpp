#include "client/load_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>

#include "carrel/base/error.h"
#include "client/load.h"

namespace carrel::client {
namespace {

constexpr int kStatusUsage = 2;  // nothing was sent

struct Arguments {
  LoadOptions load;
  bool json = false;
  bool keep_going = false;
  unsigned patience_s = 30;
};

int run(Arguments arguments) {
  LoadOptions& options = arguments.load;
  options.form = arguments.json ? ReportForm::json : ReportForm::text;
  options.on_malformed = arguments.keep_going ? OnMalformed::skip : OnMalformed::stop;
  options.patience = std::chrono::seconds{arguments.patience_s};
  const auto style =
      ::isatty(STDERR_FILENO) == 1 ? ProgressDisplay::Style::bar : ProgressDisplay::Style::lines;
  try {
    return run_load(options, {.report = std::cout, .progress = std::cerr, .progress_style = style});
  } catch (const Error& error) {
    std::cerr << "carrel load: " << error.what() << '\n';
    return kStatusUsage;
  }
}

}  // namespace

void add_load_command(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();  // lives as long as the callback that uses it
  CLI::App* command = app.add_subcommand(
      "load", "Replay a file of operations against a running server and report what became of it");
  LoadOptions& load = arguments->load;
  command->add_option("--file", load.file, "Operations, one JSON object a line; - for stdin")
      ->required();
  command->add_option("--server", load.server, "The server's address")->capture_default_str();
  command->add_option("--connections", load.connections, "How many requests run at a time")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--acks", load.acks,
                      "Append every acknowledged key to this file, for carrel check --acks");
  command
      ->add_option("--patience", arguments->patience_s,
                   "Seconds that the server may stay away before the replay gives up")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  command->add_flag("--keep-going", arguments->keep_going,
                    "Pass over malformed lines instead of stopping at the first");
  command->add_flag("--json", arguments->json, "Print the report as JSON");
  command->callback([arguments] {
    if (const int status = run(*arguments); status != 0) throw CLI::RuntimeError(status);
  });
}

}  // namespace carrel::client
