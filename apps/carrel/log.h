// The program's log: lines on stderr, in UTC, with the trace id of the request that wrote them.
//
//   2026-01-31T12:00:00.123Z info [4bf92f3577b34da6a3ce929d0e0e4736] message
#pragma once

#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace carrel::program {

// `level` is trace, debug, info, warn, error or off; Error "settings.invalid" for another.
[[nodiscard]] std::shared_ptr<spdlog::logger> make_log(const std::string& level);

}  // namespace carrel::program
