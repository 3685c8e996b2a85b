#include "lab/report.h"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>

#include "lab/report_json.h"
#include "lab/report_text.h"

namespace carrel::lab {
namespace {

Report sample() {
  return {
      .name = "sample",
      .claim = "one is less than two",
      .tables = {{.title = "Numbers",
                  .columns = {{"name"}, {"count"}, {"size", "MiB"}},
                  .rows = {{"one", std::int64_t{7}, 1.5}, {"eleven", std::int64_t{123}, 10.0}}}},
      .charts = {{.file_name = "sample-curve",
                  .title = "A curve",
                  .x = {"time", "s"},
                  .y = {"memory", "MiB"},
                  .series = {{"a", {{0, 0}, {1, 2.5}}}}}},
      .findings = {{"size of one", 1.5, Relation::below, 2, "MiB"}},
      .notes = {"seed 1"}};
}

TEST(Report, FindingHoldsAccordingToItsRelation) {
  const struct {
    Relation relation;
    std::array<bool, 3> at;  // measured one less, equal, one more than required
  } cases[] = {
      {Relation::at_least, {false, true, true}},
      {Relation::below, {true, false, false}},
      {Relation::more_than, {false, false, true}},
      {Relation::exactly, {false, true, false}},
  };
  for (const auto& [relation, at] : cases)
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ((Finding{"x", static_cast<double>(i), relation, 1, ""}.holds()), at[i])
          << name_of(relation) << i;
}

TEST(Report, IsSupportedOnlyWhenEveryFindingHolds) {
  Report report = sample();
  EXPECT_TRUE(report.supported());
  report.findings.push_back({"size of two", 2, Relation::below, 2, "MiB"});
  EXPECT_FALSE(report.supported());
  report.findings.clear();
  EXPECT_FALSE(report.supported()) << "without a finding nothing is shown";
}

TEST(Report, TableAlignsTextLeftAndNumbersRight) {
  EXPECT_EQ(to_text(sample().tables[0]),
            "Numbers\n"
            "name    count  size (MiB)\n"
            "one         7        1.50\n"
            "eleven    123       10.00\n");
}

TEST(Report, TextTellsTheVerdict) {
  Report report = sample();
  EXPECT_NE(to_text(report).find("shown: one is less than two"), std::string::npos);
  EXPECT_NE(to_text(report).find("ok   size of one: 1.50 MiB, needed < 2 MiB"), std::string::npos);
  report.findings[0].measured = 3;
  EXPECT_NE(to_text(report).find("NOT SHOWN: one is less than two"), std::string::npos);
  EXPECT_NE(to_text(report).find("NO   size of one: 3 MiB"), std::string::npos);
}

TEST(Report, JsonHasTheDocumentedFields) {
  Results results{.reports = {sample()}};
  const auto root = boost::json::parse(to_json(results));
  EXPECT_EQ(root.at("supported"), true);
  EXPECT_EQ(root.at("not_measured"), boost::json::array());
  const auto& experiment = root.at("experiments").at(0);
  EXPECT_EQ(experiment.at("name"), "sample");
  EXPECT_EQ(experiment.at("supported"), true);
  EXPECT_EQ(experiment.at("findings").at(0),
            boost::json::parse(R"({"what":"size of one","measured":1.5E0,"relation":"<",
                                   "required":2E0,"unit":"MiB","holds":true})"));
  EXPECT_EQ(experiment.at("tables").at(0).at("columns").at(2).at("unit"), "MiB");
  EXPECT_EQ(experiment.at("tables").at(0).at("rows").at(1).at(1).to_number<int>(), 123);
  EXPECT_EQ(experiment.at("charts").at(0).at("file"), "sample-curve.svg");
  EXPECT_EQ(experiment.at("charts").at(0).at("series").at(0).at("points").at(1).at(1), 2.5);
  EXPECT_EQ(experiment.at("notes").at(0), "seed 1");

  results.not_measured.push_back({"other", "no server"});
  const auto with_gap = boost::json::parse(to_json(results));
  EXPECT_EQ(with_gap.at("supported"), false);
  EXPECT_EQ(with_gap.at("not_measured"),
            boost::json::parse(R"([{"name":"other","why":"no server"}])"));
}

}  // namespace
}  // namespace carrel::lab
