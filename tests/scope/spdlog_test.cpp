#include "carrel/scope/spdlog.h"

#include <gtest/gtest.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <sstream>
#include <string>

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(Spdlog, RecordsCarryTheFieldsOfTheScope) {
  const RequestLocal<std::string> tenant{"tenant"};
  std::ostringstream lines;
  spdlog::logger logger("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  add_scope_flags(*formatter);
  add_request_local_flag<'K'>(*formatter, tenant);
  formatter->set_pattern("[%Q %q %J %K] %v");
  logger.set_formatter(std::move(formatter));

  logger.info("outside");
  ManualClock clock;
  const auto trace = TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  Scope scope({.name = "GET /orders", .trace = trace, .clock = &clock});
  logger.info("before");
  clock.advance(12ms);
  tenant.set("acme");
  logger.info("inside");

  EXPECT_EQ(lines.str(),
            "[- - - -] outside\n"
            "[GET /orders 4bf92f3577b34da6a3ce929d0e0e4736 0 -] before\n"
            "[GET /orders 4bf92f3577b34da6a3ce929d0e0e4736 12 acme] inside\n");
  EXPECT_EQ(scope_fields(), "GET /orders 4bf92f3577b34da6a3ce929d0e0e4736");
}

}  // namespace
}  // namespace carrel
