// draw_for_terminal(): a chart in characters, for a look; the SVG has the detail.
//
// Every series has a letter of its own; where two meet, the later one is seen.
#pragma once

#include <string>

#include "lab/report.h"

namespace carrel::lab {

[[nodiscard]] std::string draw_for_terminal(const Chart& chart);

}  // namespace carrel::lab
