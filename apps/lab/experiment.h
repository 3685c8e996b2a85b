// Experiment: one failure reproduced and its answer measured beside it; and the list of all.
//
// A new experiment is a pair of files with a run function, and a line in experiments.cpp.
//
// Threads: an experiment runs alone in its process; it starts and ends its own threads.
// Errors: an experiment throws when it cannot measure; a claim that does not hold is no error but
// an unsupported report.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "lab/report.h"

namespace carrel::lab {

struct Context {
  std::uint64_t seed = 1;
  // Told what is being done, for the person who waits.
  std::function<void(std::string_view)> progress = [](std::string_view) {};
  // Where the Java twins lie; empty: they are not run. See jvm_twin.h.
  std::filesystem::path jvm_twins = {};
  // A PostgreSQL server for those that can use one, as in database.h; empty: SQLite.
  std::string postgres = {};
};

struct Experiment {
  std::string_view name;
  std::string_view summary;  // one line
  Report (*run)(const Context& context);
};

// In the order in which they tell their story.
[[nodiscard]] std::span<const Experiment> experiments() noexcept;

// nullptr when there is none of that name.
[[nodiscard]] const Experiment* find_experiment(std::string_view name) noexcept;

}  // namespace carrel::lab
