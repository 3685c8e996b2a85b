// carrel: the account service, its client and the lab as one program.
#include <CLI/CLI.hpp>
#include <iostream>

#include "carrel/check_command.h"
#include "carrel/serve_command.h"
#include "client/load_command.h"
#include "lab/lab_command.h"

namespace {

constexpr int kStatusFailed = 1;
constexpr int kStatusUsage = 2;

int run(int argc, char** argv) {
  CLI::App app("Carrel: a double-entry account service, its load client, and the lab", "carrel");
  app.require_subcommand(1);
  app.set_version_flag("--version", CARREL_VERSION);
  app.footer("carrel COMMAND --help says more about each.");
  carrel::program::add_serve_command(app);
  carrel::client::add_load_command(app);
  carrel::program::add_check_command(app);
  carrel::lab::add_lab_command(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& ended) {
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kStatusUsage;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "carrel: " << error.what() << '\n';
    return kStatusFailed;
  }
}
