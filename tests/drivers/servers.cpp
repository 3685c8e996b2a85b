#include "drivers/servers.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <utility>

#include "carrel/base/error.h"

namespace carrel::test {

std::string server_folder() {
  const char* folder = std::getenv("CARREL_TEST_SERVERS");
  return folder == nullptr ? CARREL_TEST_SERVERS_DIR : folder;
}

std::string server_setting(const std::string& name) {
  std::ifstream file(server_folder() + "/servers.env");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  throw std::runtime_error(
      "no test servers: run this through ctest, or as\n"
      "  tools/test-servers run -- <this program>");
}

std::uint16_t server_port(const std::string& name) {
  return static_cast<std::uint16_t>(std::stoi(server_setting(name)));
}

std::string own_name() {
  return "carrel_test_" + std::to_string(getpid());
}

OwnPlace::OwnPlace(std::unique_ptr<Driver> driver, const std::string& create, std::string drop)
    : driver_(std::move(driver)), drop_(std::move(drop)) {
  driver_->connect({})->execute(create);
}

OwnPlace::~OwnPlace() {
  try {
    driver_->connect({})->execute(drop_);
  } catch (const Error&) {
    // The server goes away with its data soon enough.
  }
}

}  // namespace carrel::test
