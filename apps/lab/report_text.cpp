#include "lab/report_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/terminal_chart.h"

namespace carrel::lab {
namespace {

std::string formatted(double number) {
  if (number == 0) number = 0;  // no "-0"
  return number == std::round(number) && std::abs(number) < 1e15 ? fmt::format("{:.0f}", number)
                                                                 : fmt::format("{:.2f}", number);
}

std::string formatted(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return std::to_string(*integer);
  return fmt::format("{:.2f}", std::get<double>(cell));
}

std::string heading_of(const Column& column) {
  return column.unit.empty() ? column.name : fmt::format("{} ({})", column.name, column.unit);
}

std::string spaced(const std::string& unit) {
  return unit.empty() ? "" : " " + unit;
}

}  // namespace

std::string to_text(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    std::size_t width = heading_of(table.columns[column]).size();
    for (const auto& row : table.rows) width = std::max(width, formatted(row[column]).size());
    widths.push_back(width);
  }
  const auto is_text = [&](std::size_t column) {
    return !table.rows.empty() && std::holds_alternative<std::string>(table.rows.front()[column]);
  };
  const auto line = [&](auto&& text_at) {
    std::string out;
    for (std::size_t column = 0; column < widths.size(); ++column)
      out += is_text(column) ? fmt::format("{:<{}}  ", text_at(column), widths[column])
                             : fmt::format("{:>{}}  ", text_at(column), widths[column]);
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
  };
  std::string out = table.title + "\n";
  out += line([&](std::size_t column) { return heading_of(table.columns[column]); });
  for (const auto& row : table.rows)
    out += line([&](std::size_t column) { return formatted(row[column]); });
  return out;
}

std::string to_text(const Report& report) {
  std::string out;
  for (const Table& table : report.tables) out += to_text(table) + "\n";
  for (const Chart& chart : report.charts) out += draw_for_terminal(chart) + "\n";
  for (const Finding& finding : report.findings)
    out +=
        fmt::format("{}  {}: {}{}, needed {} {}{}\n", finding.holds() ? "ok " : "NO ", finding.what,
                    formatted(finding.measured), spaced(finding.unit), name_of(finding.relation),
                    formatted(finding.required), spaced(finding.unit));
  for (const std::string& note : report.notes) out += "note: " + note + "\n";
  out += fmt::format("\n{}: {}\n", report.supported() ? "shown" : "NOT SHOWN", report.claim);
  return out;
}

}  // namespace carrel::lab
