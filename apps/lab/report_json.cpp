#include "lab/report_json.h"

#include <boost/json.hpp>
#include <utility>

namespace carrel::lab {
namespace {

namespace json = boost::json;

json::value value_of(const Cell& cell) {
  return std::visit([](const auto& content) { return json::value(content); }, cell);
}

json::object object_of(const Table& table) {
  json::array columns;
  for (const Column& column : table.columns)
    columns.push_back({{"name", column.name}, {"unit", column.unit}});
  json::array rows;
  for (const auto& row : table.rows) {
    json::array cells;
    for (const Cell& cell : row) cells.push_back(value_of(cell));
    rows.push_back(std::move(cells));
  }
  return {{"title", table.title}, {"columns", std::move(columns)}, {"rows", std::move(rows)}};
}

json::object object_of(const Axis& axis) {
  return {{"label", axis.label}, {"unit", axis.unit}};
}

json::object object_of(const Chart& chart) {
  json::array series_list;
  for (const Series& series : chart.series) {
    json::array points;
    for (const Point& point : series.points) points.push_back(json::array{point.x, point.y});
    series_list.push_back({{"name", series.name}, {"points", std::move(points)}});
  }
  return {{"file", chart.file_name + ".svg"},
          {"title", chart.title},
          {"x", object_of(chart.x)},
          {"y", object_of(chart.y)},
          {"series", std::move(series_list)}};
}

json::object object_of(const Finding& finding) {
  const auto relation = name_of(finding.relation);
  return {{"what", finding.what},
          {"measured", finding.measured},
          {"relation", json::string(relation.data(), relation.size())},
          {"required", finding.required},
          {"unit", finding.unit},
          {"holds", finding.holds()}};
}

template <class T>
json::array array_of(const std::vector<T>& items) {
  json::array array;
  for (const T& item : items) array.push_back(object_of(item));
  return array;
}

json::object object_of(const Report& report) {
  json::array notes;
  for (const std::string& note : report.notes) notes.push_back(json::string(note));
  return {{"name", report.name},
          {"claim", report.claim},
          {"supported", report.supported()},
          {"findings", array_of(report.findings)},
          {"tables", array_of(report.tables)},
          {"charts", array_of(report.charts)},
          {"notes", std::move(notes)}};
}

}  // namespace

std::string to_json(const Results& results) {
  json::array experiments;
  for (const Report& report : results.reports) experiments.push_back(object_of(report));
  json::array not_measured;
  for (const Results::NotMeasured& one : results.not_measured)
    not_measured.push_back({{"name", one.name}, {"why", one.why}});
  return json::serialize(json::object{{"supported", results.supported()},
                                      {"experiments", std::move(experiments)},
                                      {"not_measured", std::move(not_measured)}});
}

}  // namespace carrel::lab
