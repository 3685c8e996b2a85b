// add_check_command(): `carrel check` for the command line.
//
// Its callback verifies both books, through a running server or on the files, and throws
// CLI::RuntimeError unless they are clean.
#pragma once

namespace CLI {
class App;
}

namespace carrel::program {

void add_check_command(CLI::App& app);

}  // namespace carrel::program
