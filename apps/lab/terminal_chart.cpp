#include "lab/terminal_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "lab/scale.h"

namespace carrel::lab {
namespace {

constexpr int kWidth = 64;
constexpr int kHeight = 12;

std::string named(const Axis& axis) {
  return axis.unit.empty() ? axis.label : fmt::format("{} ({})", axis.label, axis.unit);
}

int cell_of(double position, int cells) {
  return std::clamp(static_cast<int>(std::lround(position * (cells - 1))), 0, cells - 1);
}

char letter_of(std::size_t series) {
  return static_cast<char>('a' + series % 26);
}

// Draws a series as the line through its points, one character a column.
void plot(const Series& series, char letter, const Scale& x, const Scale& y,
          std::vector<std::string>& rows) {
  for (std::size_t i = 0; i < series.points.size(); ++i) {
    const Point& from = series.points[i == 0 ? 0 : i - 1];
    const Point& to = series.points[i];
    const int first = cell_of(x.position(from.x), kWidth);
    const int last = cell_of(x.position(to.x), kWidth);
    const double start = y.position(from.y);
    const double end = y.position(to.y);
    for (int column = first; column <= last; ++column) {
      const double share = last == first ? 1 : double(column - first) / double(last - first);
      const int row = cell_of(start + share * (end - start), kHeight);
      rows[static_cast<std::size_t>(kHeight - 1 - row)][static_cast<std::size_t>(column)] = letter;
    }
  }
}

}  // namespace

std::string draw_for_terminal(const Chart& chart) {
  const Scale x = x_scale_of(chart, 6);
  const Scale y = y_scale_of(chart, 4);
  std::vector<std::string> rows(kHeight, std::string(kWidth, ' '));
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    plot(chart.series[i], letter_of(i), x, y, rows);

  std::vector<std::string> labels(kHeight);
  std::size_t label_width = 0;
  for (const double tick : y.ticks()) {
    auto& label =
        labels[static_cast<std::size_t>(kHeight - 1 - cell_of(y.position(tick), kHeight))];
    label = y.label(tick);
    label_width = std::max(label_width, label.size());
  }
  std::string out = fmt::format("{}\n{}\n", chart.title, named(chart.y));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::string line = fmt::format("{:>{}} |{}", labels[row], label_width, rows[row]);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  out += fmt::format("{:>{}} +{:-<{}}\n", "", label_width, "", kWidth);
  const std::string low = x.label(x.ticks().front());
  out += fmt::format("{:>{}}  {}{:>{}}  {}\n", "", label_width, low, x.label(x.high()),
                     kWidth - static_cast<int>(low.size()), named(chart.x));
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    out += fmt::format("{:>{}}  {} {}\n", "", label_width, letter_of(i), chart.series[i].name);
  return out;
}

}  // namespace carrel::lab
