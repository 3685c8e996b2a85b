// to_text(): a report as a person reads it in a terminal: tables, small charts, findings, verdict.
#pragma once

#include <string>

#include "lab/report.h"

namespace carrel::lab {

[[nodiscard]] std::string to_text(const Report& report);

// Aligned columns: text to the left, numbers to the right.
[[nodiscard]] std::string to_text(const Table& table);

}  // namespace carrel::lab
