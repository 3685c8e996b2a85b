// The real servers that the driver tests run on: those of tools/test-servers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "carrel/db/connection.h"

namespace carrel::test {

// Where they are described: what tools/test-servers calls DIR.
std::string server_folder();
// A value of servers.env, such as "PASSWORD". Throws a hint where no servers run.
std::string server_setting(const std::string& name);
std::uint16_t server_port(const std::string& name);

// The schema, or database, that this process has for itself, so that tests may run side by side.
std::string own_name();

// Makes it, and drops it when the process ends well. A leftover harms nobody.
class OwnPlace {
 public:
  OwnPlace(std::unique_ptr<Driver> driver, const std::string& create, std::string drop);
  OwnPlace(const OwnPlace&) = delete;
  OwnPlace& operator=(const OwnPlace&) = delete;
  ~OwnPlace();

 private:
  std::unique_ptr<Driver> driver_;
  std::string drop_;
};
using OwnPlaces = std::map<std::string, OwnPlace>;  // by server

}  // namespace carrel::test
