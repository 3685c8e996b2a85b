// run_experiments(): runs some experiments, one after the other, and shows what they measured.
//
// Threads: experiments run alone in their process. Errors: an experiment that cannot measure does
// not stop the others; it is named on `progress` and in the JSON.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>

#include "lab/experiment.h"

namespace carrel::lab {

// Exit statuses of `carrel lab`.
inline constexpr int kStatusShown = 0;
inline constexpr int kStatusNotShown = 1;  // a claim was not supported
inline constexpr int kStatusTrouble = 2;   // something could not be measured

enum class Output { text, json };

struct RunOptions {
  std::filesystem::path charts = "lab-out";  // folder for the SVG files; made if missing
  std::filesystem::path jvm_twins = {};      // empty: they are not run
  std::string postgres = {};                 // a server; empty: SQLite
  std::uint64_t seed = 1;
  Output output = Output::text;
};

// Reports go to `out` (as JSON: when all have ended), and to `progress` a line whenever something
// begins or ends. Returns an exit status; trouble outranks a claim that was not supported.
[[nodiscard]] int run_experiments(std::span<const Experiment* const> chosen,
                                  const RunOptions& options, std::ostream& out,
                                  std::ostream& progress);

}  // namespace carrel::lab
