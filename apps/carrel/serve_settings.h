// ServeSettings: everything about `carrel serve` that can be set, with its default.
//
// A settings file is read first, then the command line overrides it.
//
//   ServeSettings settings;
//   read_settings_file("carrel.toml", settings);
//   settings.service();                          // as the account service takes it
//
// Errors: Error "settings.unreadable" and "settings.invalid", whose message names file and line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "ledger/http/service.h"

namespace carrel::program {

struct ServeSettings {
  std::filesystem::path data = "./data";
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8080;
  std::size_t workers = 16;
  std::size_t queue_max = 1024;
  std::size_t io_threads = 1;
  std::size_t readers = 4;
  std::string log_level = "info";
  std::chrono::seconds drain_wait_max{20};
  std::chrono::seconds request_wait_max{10};
  ledger::http::ServerLimits limits;
  ledger::LedgerRules rules;

  // Without the log, which the caller makes.
  [[nodiscard]] ledger::http::ServiceOptions service() const;
};

void read_settings_file(const std::filesystem::path& file, ServeSettings& settings);

}  // namespace carrel::program
