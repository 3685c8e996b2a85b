#include "carrel/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "carrel/base/error.h"
#include "carrel/scope/scope.h"

namespace carrel::program {
namespace {

// %*: the trace id of the scope that this thread is in; "-" outside any.
class TraceIdFlag : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&,
              spdlog::memory_buf_t& line) override {
    const Scope* scope = Scope::current();
    const std::string text = scope == nullptr ? "-" : scope->trace().trace_id_text();
    line.append(text.data(), text.data() + text.size());
  }
  [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
    return spdlog::details::make_unique<TraceIdFlag>();
  }
};

}  // namespace

std::shared_ptr<spdlog::logger> make_log(const std::string& level) {
  const spdlog::level::level_enum parsed = spdlog::level::from_str(level);
  if (parsed == spdlog::level::off && level != "off")
    throw Error("settings.invalid",
                "'" + level + "' is no log level: use trace, debug, info, warn, error or off");
  // Written by the thread that logs, so that its scope is the line's.
  auto log = std::make_shared<spdlog::logger>(
      "carrel", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<TraceIdFlag>('*').set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ [%*] %v");
  log->set_formatter(std::move(formatter));
  log->set_level(parsed);
  return log;
}

}  // namespace carrel::program
