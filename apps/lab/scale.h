// Scale: from values to positions on an axis, with round numbers for its ticks.
//
// Threads: plain values.
#pragma once

#include <string>
#include <vector>

#include "lab/report.h"

namespace carrel::lab {

class Scale {
 public:
  // Covers `low` to `high`, widened to round numbers; the ticks are 1, 2 or 5 times a power of ten
  // apart, about `ticks_wanted` of them.
  Scale(double low, double high, int ticks_wanted);
  // The same from power to power of two or ten, with a tick at each. `low` is above zero.
  Scale(double low, double high, Scaling scaling);

  [[nodiscard]] double low() const noexcept { return low_; }
  [[nodiscard]] double high() const noexcept { return high_; }
  [[nodiscard]] std::vector<double> ticks() const;
  // 0 at low(), 1 at high(). On a logarithmic scale zero and less are at low().
  [[nodiscard]] double position(double value) const noexcept;
  // As many digits as the distance of the ticks needs.
  [[nodiscard]] std::string label(double value) const;

 private:
  Scaling scaling_ = Scaling::linear;
  double step_;  // from tick to tick: to be added, or on a logarithmic scale the factor
  double low_;
  double high_;
};

// Scales that show all of a chart's points, and zero on a linear y axis. What lies below zero by
// less than a fiftieth of the range is taken for noise.
[[nodiscard]] Scale x_scale_of(const Chart& chart, int ticks_wanted);
[[nodiscard]] Scale y_scale_of(const Chart& chart, int ticks_wanted);

}  // namespace carrel::lab
