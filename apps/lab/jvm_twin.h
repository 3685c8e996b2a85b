// JvmTwin: an experiment's Java form, run by a Java virtual machine where there is one.
//
// A twin is one file of plain Java, started as `java NAME.java ARGUMENT...`. It prints a JSON
// object a line:
//   {"series": "1", "points": [[0, 0], [1, 2.5]]}        a curve
//   {"figure": "wrong rows", "value": 17}                a number of a table
//
//   const JvmTwin twin = run_jvm_twin(context.jvm_twins, "LabKeys", {"4"});
//   table.rows.push_back({"weak keys", held_mib, twin.cell("weak keys")});   // or "not run"
//
// Threads: plain values. Errors: a JVM that is missing, or fails, is no error but a twin that did
// not run; it says why.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report.h"

namespace carrel::lab {

struct JvmTwin {
  std::string why_not;  // empty when it ran
  std::vector<Series> series = {};
  std::map<std::string, double, std::less<>> figures = {};

  [[nodiscard]] bool ran() const noexcept { return why_not.empty(); }
  // The figure of that name, "-" if the twin has none, "not run" if there is no twin.
  [[nodiscard]] Cell cell(std::string_view figure) const;
  // Its curves, named so that a reader knows whose they are.
  void add_curves(Chart& chart) const;
  // Says in the report why it did not run.
  void add_note(Report& report) const;
};

// `folder` holds the twins; if it is empty, none is wanted. The machine is $JAVA_HOME/bin/java, or
// `java` from the PATH. What it writes to its standard error goes to ours.
[[nodiscard]] JvmTwin run_jvm_twin(const std::filesystem::path& folder, const std::string& name,
                                   const std::vector<std::string>& arguments = {});

}  // namespace carrel::lab
