#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "lab/svg_chart.h"
#include "lab/terminal_chart.h"

namespace carrel::lab {
namespace {

Chart sample() {
  return {.file_name = "sample",
          .title = "Memory <live> & \"resident\"",
          .x = {"time", "s"},
          .y = {"memory", "MiB"},
          .series = {{"rising", {{0, 0}, {0.5, 10}, {1, 25}}}, {"flat", {{0, 1}, {1, 1}}}}};
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST(SvgChart, HasAxesWithUnitsALegendAndEveryCurve) {
  const std::string svg = draw_as_svg(sample());
  EXPECT_TRUE(svg.starts_with("<svg xmlns="));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_EQ(count(svg, "<polyline"), 2u);
  EXPECT_EQ(count(svg, ">time (s)</text>"), 1u);
  EXPECT_EQ(count(svg, ">memory (MiB)</text>"), 1u);
  EXPECT_EQ(count(svg, ">rising</text>"), 1u);
  EXPECT_EQ(count(svg, ">flat</text>"), 1u);
  EXPECT_EQ(count(svg, ">25</text>"), 1u) << svg;
}

TEST(SvgChart, EscapesWhatWouldBeMarkup) {
  const std::string svg = draw_as_svg(sample());
  EXPECT_EQ(count(svg, "Memory &lt;live&gt; &amp; &quot;resident&quot;"), 3u);
  EXPECT_EQ(count(svg, "<live>"), 0u);
}

TEST(SvgChart, CurvesGoThroughTheirPoints) {
  Chart chart = sample();
  chart.series = {{"line", {{0, 0}, {1, 30}}}};
  // The plot's corners: left bottom and right top.
  EXPECT_NE(draw_as_svg(chart).find("points=\"78.0,348.0 728.0,48.0 \""), std::string::npos)
      << draw_as_svg(chart);
}

TEST(SvgChart, ADozenCurvesCanBeToldApart) {
  Chart chart = sample();
  chart.series.assign(12, {"curve", {{0, 0}, {1, 1}}});
  std::set<std::string> strokes;
  const std::string svg = draw_as_svg(chart);
  for (auto at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1))
    strokes.insert(svg.substr(at, svg.find("points", at) - at));
  EXPECT_EQ(strokes.size(), 12u);
}

TEST(TerminalChart, DrawsEverySeriesWithItsLetter) {
  const std::string text = draw_for_terminal(sample());
  EXPECT_NE(text.find("memory (MiB)"), std::string::npos) << text;
  EXPECT_NE(text.find("time (s)"), std::string::npos) << text;
  EXPECT_NE(text.find("a rising\n"), std::string::npos) << text;
  EXPECT_NE(text.find("b flat\n"), std::string::npos) << text;
  EXPECT_GT(count(text, "bbbbbbbb"), 0u) << text;
}

TEST(TerminalChart, StandsForASeriesWithoutPoints) {
  Chart chart = sample();
  chart.series = {{"empty", {}}};
  EXPECT_NE(draw_for_terminal(chart).find("a empty"), std::string::npos);
  EXPECT_NE(draw_as_svg(chart).find(">empty</text>"), std::string::npos);
}

}  // namespace
}  // namespace carrel::lab
