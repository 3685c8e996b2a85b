#include "carrel/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "carrel/base/error.h"
#include "carrel/scope/spdlog.h"

namespace carrel::program {

std::shared_ptr<spdlog::logger> make_log(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    throw Error("settings.invalid",
                "'" + level + "' is no log level: use trace, debug, info, warn, error or off");
  // Written by the thread that logs, so that its scope is the line's.
  auto log = std::make_shared<spdlog::logger>(
      "carrel", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  add_scope_flags(*formatter);
  formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ [%q] %v");
  log->set_formatter(std::move(formatter));
  log->set_level(parsed);
  return log;
}

}  // namespace carrel::program
