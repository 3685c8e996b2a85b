// add_lab_command(): `carrel lab` for the command line.
//
// Its callback runs the experiments; when a claim was not supported it throws CLI::RuntimeError,
// CLI11's own way to hand an exit status to main.
#pragma once

namespace CLI {
class App;
}

namespace carrel::lab {

void add_lab_command(CLI::App& app);

}  // namespace carrel::lab
