// to_json(): what was measured, for programs. The fields are documented in
// docs/reference/carrel-lab.md and stay as they are; new ones may be added.
#pragma once

#include <string>

#include "lab/report.h"

namespace carrel::lab {

[[nodiscard]] std::string to_json(const Results& results);

}  // namespace carrel::lab
