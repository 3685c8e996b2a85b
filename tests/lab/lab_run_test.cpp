#include "lab/lab_run.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "carrel/base/error.h"
#include "lab/temporary_folder.h"

namespace carrel::lab {
namespace {

Report report_of(std::string name, double measured) {
  return {.name = std::move(name),
          .claim = "one is one",
          .charts = {{.file_name = "one",
                      .title = "One",
                      .x = {"x", ""},
                      .y = {"y", ""},
                      .series = {{"a", {{0, 0}, {1, 1}}}}}},
          .findings = {{"one", measured, Relation::exactly, 1}}};
}

const Experiment kTrue{"true", "holds", [](const Context& context) {
                         context.progress("half way");
                         return report_of("true", 1);
                       }};
const Experiment kFalse{"false", "does not hold",
                        [](const Context&) { return report_of("false", 2); }};
const Experiment kBroken{"broken", "cannot measure",
                         [](const Context&) -> Report { throw Error("lab.test", "no server"); }};

struct Ran {
  int status = 0;
  std::string out;
  std::string progress;
  std::vector<std::filesystem::path> charts;
};

Ran run(const std::vector<const Experiment*>& chosen, Output output) {
  const TemporaryFolder folder;
  std::ostringstream out;
  std::ostringstream progress;
  Ran ran;
  ran.status = run_experiments(chosen, {.charts = folder.path() / "charts", .output = output}, out,
                               progress);
  ran.out = out.str();
  ran.progress = progress.str();
  if (std::filesystem::exists(folder.path() / "charts"))
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "charts"))
      ran.charts.push_back(entry.path().filename());
  return ran;
}

TEST(LabRun, TellsItsProgressWhileItRunsSeveral) {
  const Ran ran = run({&kTrue, &kFalse}, Output::text);
  EXPECT_NE(ran.progress.find("[1/2] true: holds\n"), std::string::npos) << ran.progress;
  EXPECT_NE(ran.progress.find("[1/2] true: half way\n"), std::string::npos) << ran.progress;
  EXPECT_NE(ran.progress.find("[1/2] true: shown in "), std::string::npos) << ran.progress;
  EXPECT_NE(ran.progress.find("[2/2] false: NOT SHOWN in "), std::string::npos) << ran.progress;
  EXPECT_NE(ran.progress.find("2 experiments in "), std::string::npos) << ran.progress;
  EXPECT_NE(run({&kTrue}, Output::text).progress.find("true: holds\n"), std::string::npos);
}

TEST(LabRun, StatusTellsShownNotShownAndTroubleApart) {
  EXPECT_EQ(run({&kTrue}, Output::text).status, kStatusShown);
  EXPECT_EQ(run({&kTrue, &kFalse}, Output::text).status, kStatusNotShown);
  EXPECT_EQ(run({&kFalse, &kBroken}, Output::text).status, kStatusTrouble);
}

TEST(LabRun, WhatCannotMeasureDoesNotStopTheOthers) {
  const Ran ran = run({&kBroken, &kTrue}, Output::json);
  EXPECT_EQ(ran.status, kStatusTrouble);
  EXPECT_NE(ran.progress.find("[1/2] broken: could not be measured: no server"), std::string::npos)
      << ran.progress;
  const auto root = boost::json::parse(ran.out);
  EXPECT_EQ(root.at("experiments").as_array().size(), 1u);
  EXPECT_EQ(root.at("not_measured").at(0).at("name"), "broken");
  EXPECT_EQ(root.at("supported"), false);
}

TEST(LabRun, StandardOutputIsPureJsonWhenAskedFor) {
  const Ran ran = run({&kTrue}, Output::json);
  EXPECT_EQ(boost::json::parse(ran.out).at("supported"), true) << ran.out;
  EXPECT_EQ(ran.charts, std::vector<std::filesystem::path>{"one.svg"});
}

TEST(LabRun, TextNamesTheChartsThatItWrote) {
  const Ran ran = run({&kTrue}, Output::text);
  EXPECT_NE(ran.out.find("shown: one is one"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("one.svg\n"), std::string::npos) << ran.out;
}

TEST(LabRun, AFolderThatCannotBeWrittenIsTrouble) {
  std::ostringstream out;
  std::ostringstream progress;
  const std::array chosen{&kTrue};
  EXPECT_EQ(run_experiments(chosen, {.charts = "/proc/none"}, out, progress), kStatusTrouble);
  EXPECT_NE(progress.str().find("cannot write"), std::string::npos) << progress.str();
}

}  // namespace
}  // namespace carrel::lab
