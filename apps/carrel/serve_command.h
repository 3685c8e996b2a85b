// add_serve_command(): `carrel serve` for the command line.
//
// Its callback runs the service until SIGINT or SIGTERM. When it cannot start it says why on stderr
// and throws CLI::RuntimeError, CLI11's own way to hand an exit status to main.
#pragma once

namespace CLI {
class App;
}

namespace carrel::program {

void add_serve_command(CLI::App& app);

}  // namespace carrel::program
