#include "lab/lab_command.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>

#include "lab/experiment.h"

namespace carrel::lab {
namespace {

// Exit status and standard output of `carrel <line>`.
struct Ran {
  int status = 0;
  std::string output;
};

Ran run(const std::string& line) {
  CLI::App app;
  add_lab_command(app);
  testing::internal::CaptureStdout();
  int status = 0;
  try {
    app.parse(line);
  } catch (const CLI::Error& error) {
    status = error.get_exit_code();
  }
  return {status, testing::internal::GetCapturedStdout()};
}

TEST(LabCommand, ListsEveryExperimentWithOneLine) {
  const Ran ran = run("lab");
  EXPECT_EQ(ran.status, 0);
  for (const Experiment& experiment : experiments())
    EXPECT_NE(ran.output.find(std::string(experiment.name) + " "), std::string::npos);
}

TEST(LabCommand, UnknownExperimentIsTrouble) {
  const Ran ran = run("lab nonsense");
  EXPECT_EQ(ran.status, 2);
  EXPECT_EQ(ran.output, "");
}

TEST(LabCommand, ExperimentsAreFoundByName) {
  for (const Experiment& experiment : experiments())
    EXPECT_EQ(find_experiment(experiment.name), &experiment);
  EXPECT_EQ(find_experiment("nonsense"), nullptr);
}

}  // namespace
}  // namespace carrel::lab
