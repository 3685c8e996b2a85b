// add_load_command(): `carrel load` for the command line.
//
// Its callback runs the replay; when not every operation got a definite answer it throws
// CLI::RuntimeError, CLI11's own way to hand an exit status to main.
#pragma once

namespace CLI {
class App;
}

namespace carrel::client {

void add_load_command(CLI::App& app);

}  // namespace carrel::client
