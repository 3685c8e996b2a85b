// to_json(): a report for programs. The fields are documented in docs/reference/carrel-lab.md and
// stay as they are; new ones may be added.
#pragma once

#include <span>
#include <string>

#include "lab/report.h"

namespace carrel::lab {

[[nodiscard]] std::string to_json(std::span<const Report> reports);

}  // namespace carrel::lab
