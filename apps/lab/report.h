// Report: what an experiment measured: tables, charts, and the findings that its claim rests on.
//
// An experiment fills one in and knows nothing of how it is shown; report_text.h, report_json.h,
// terminal_chart.h and svg_chart.h do that.
//
//   Report report{.name = "leak", .title = "..."};
//   report.findings.push_back({"held with raw thread-locals", held_mib, Relation::at_least, 20,
//   "MiB"}); return report;                               // report.supported() decides the exit
//   status
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carrel::lab {

enum class Scaling {
  linear,
  doublings,  // logarithmic, a tick at every power of two
  decades,    // logarithmic, a tick at every power of ten
};

struct Axis {
  std::string label;
  std::string unit;  // may be empty for a plain count
  Scaling scaling = Scaling::linear;
};

struct Point {
  double x = 0;
  double y = 0;
};

struct Series {
  std::string name;
  std::vector<Point> points;  // by rising x
};

struct Chart {
  std::string file_name;  // without its ending, such as "leak-live"
  std::string title;
  Axis x;
  Axis y;
  std::vector<Series> series;
};

using Cell = std::variant<std::string, std::int64_t, double>;

struct Column {
  std::string name;
  std::string unit = {};
};

struct Table {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
};

enum class Relation { at_least, below, more_than, exactly };

[[nodiscard]] std::string_view name_of(Relation relation) noexcept;  // ">=", "<", ">", "="

// One measured number beside what the claim needs it to be.
struct Finding {
  std::string what;
  double measured = 0;
  Relation relation = Relation::exactly;
  double required = 0;
  std::string unit = {};

  [[nodiscard]] bool holds() const noexcept;
};

struct Report {
  std::string name;   // the experiment's
  std::string claim;  // one sentence: what the findings together show
  std::vector<Table> tables = {};
  std::vector<Chart> charts = {};
  std::vector<Finding> findings = {};
  std::vector<std::string> notes = {};

  // Every finding holds, and there is at least one.
  [[nodiscard]] bool supported() const noexcept;
};

// What a run of several experiments gave.
struct Results {
  struct NotMeasured {
    std::string name;
    std::string why;
  };
  std::vector<Report> reports = {};
  std::vector<NotMeasured> not_measured = {};

  // Every claim is, and nothing went unmeasured.
  [[nodiscard]] bool supported() const noexcept;
};

}  // namespace carrel::lab
