// draw_as_svg(): a chart as a self-contained SVG document, with axes, units and a legend.
//
// Nothing in it is fetched from anywhere. Colours are those of Okabe and Ito, which people with the
// common kinds of colour blindness can tell apart; dash patterns differ as well.
#pragma once

#include <string>

#include "lab/report.h"

namespace carrel::lab {

[[nodiscard]] std::string draw_as_svg(const Chart& chart);

}  // namespace carrel::lab
