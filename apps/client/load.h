// run_load(): `carrel load` as a function.
//
//   int status = run_load({.file = "ops.jsonl"}, {.report = std::cout, .progress = std::cerr});
//
// Returns 0 only when every operation of the file has a definite answer.
// Errors: carrel::Error "client.file_unreadable", "client.bad_server_url", "client.unknown_host",
// "client.acks_unwritable"; everything else is in the report.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "client/operation_reader.h"
#include "client/progress_display.h"

namespace carrel::client {

enum class ReportForm { text, json };

struct LoadOptions {
  std::string file = {};  // "-" is standard input
  std::string server = "http://127.0.0.1:8080";
  std::size_t connections = 64;
  std::string acks = {};  // empty: none are written
  ReportForm form = ReportForm::text;
  OnMalformed on_malformed = OnMalformed::stop;
  std::chrono::milliseconds patience{30'000};
  std::chrono::milliseconds answer_within{30'000};
};

struct LoadOutput {
  std::ostream& report;
  std::ostream& progress;
  ProgressDisplay::Style progress_style = ProgressDisplay::Style::lines;
};

[[nodiscard]] int run_load(const LoadOptions& options, const LoadOutput& output);

}  // namespace carrel::client
