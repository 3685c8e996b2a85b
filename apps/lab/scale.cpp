#include "lab/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace carrel::lab {
namespace {

constexpr double kNoise = 0.02;

// Heckbert, "Nice numbers for graph labels" (Graphics Gems, 1990), without its rounding down.
double nice_step(double range, int ticks_wanted) {
  const double raw = range / std::max(ticks_wanted, 1);
  const double magnitude = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * magnitude >= raw) return factor * magnitude;
  return 10 * magnitude;
}

}  // namespace

Scale::Scale(double low, double high, int ticks_wanted)
    : step_(nice_step(high > low ? high - low : 1, ticks_wanted)),
      low_(std::floor(low / step_) * step_),
      high_(std::ceil(high / step_) * step_) {
  if (high_ <= low_) high_ = low_ + step_;
}

std::vector<double> Scale::ticks() const {
  std::vector<double> ticks;
  const auto count = static_cast<int>(std::lround((high_ - low_) / step_));
  for (int i = 0; i <= count; ++i) ticks.push_back(low_ + i * step_);
  return ticks;
}

std::string Scale::label(double value) const {
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step_))));
  return fmt::format("{:.{}f}", std::abs(value) < step_ / 2 ? 0.0 : value, decimals);
}

Scale x_scale_of(const Chart& chart, int ticks_wanted) {
  double low = INFINITY;
  double high = -INFINITY;
  for (const Series& series : chart.series)
    for (const Point& point : series.points) {
      low = std::min(low, point.x);
      high = std::max(high, point.x);
    }
  return low <= high ? Scale(low, high, ticks_wanted) : Scale(0, 1, ticks_wanted);
}

Scale y_scale_of(const Chart& chart, int ticks_wanted) {
  double low = 0;
  double high = 0;
  for (const Series& series : chart.series)
    for (const Point& point : series.points) {
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  // A little noise below zero is no reason for an axis that goes there.
  if (low > -kNoise * high) low = 0;
  return Scale(low, high, ticks_wanted);
}

}  // namespace carrel::lab
