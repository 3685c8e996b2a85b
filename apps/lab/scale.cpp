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

struct Range {
  double low = INFINITY;
  double high = -INFINITY;  // below `low`: there is nothing to show
};

// A logarithmic axis has no place for zero and less.
Range range_of(const Chart& chart, double Point::* coordinate) {
  const Axis& axis = coordinate == &Point::x ? chart.x : chart.y;
  Range range;
  for (const Series& series : chart.series)
    for (const Point& point : series.points) {
      if (axis.scaling != Scaling::linear && point.*coordinate <= 0) continue;
      range.low = std::min(range.low, point.*coordinate);
      range.high = std::max(range.high, point.*coordinate);
    }
  return range;
}

}  // namespace

Scale::Scale(double low, double high, int ticks_wanted)
    : step_(nice_step(high > low ? high - low : 1, ticks_wanted)),
      low_(std::floor(low / step_) * step_),
      high_(std::ceil(high / step_) * step_) {
  if (high_ <= low_) high_ = low_ + step_;
}

Scale::Scale(double low, double high, Scaling scaling)
    : scaling_(scaling), step_(scaling == Scaling::decades ? 10 : 2) {
  const double base = std::log(step_);
  // A hair's breadth is forgiven: log(1000) / log(10) is not quite 3.
  low_ = std::pow(step_, std::floor(std::log(low) / base + 1e-9));
  high_ = std::pow(step_, std::ceil(std::log(high) / base - 1e-9));
  if (high_ <= low_) high_ = low_ * step_;
}

double Scale::position(double value) const noexcept {
  if (scaling_ == Scaling::linear) return (value - low_) / (high_ - low_);
  return std::log(std::max(value, low_) / low_) / std::log(high_ / low_);
}

std::vector<double> Scale::ticks() const {
  std::vector<double> ticks;
  if (scaling_ != Scaling::linear) {
    for (double tick = low_; tick < high_ * 1.5; tick *= step_) ticks.push_back(tick);
    return ticks;
  }
  const auto count = static_cast<int>(std::lround((high_ - low_) / step_));
  for (int i = 0; i <= count; ++i) ticks.push_back(low_ + i * step_);
  return ticks;
}

std::string Scale::label(double value) const {
  if (scaling_ != Scaling::linear) return fmt::format("{:g}", value);
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step_))));
  return fmt::format("{:.{}f}", std::abs(value) < step_ / 2 ? 0.0 : value, decimals);
}

Scale x_scale_of(const Chart& chart, int ticks_wanted) {
  const auto [low, high] = range_of(chart, &Point::x);
  if (low > high) return Scale(0, 1, ticks_wanted);
  return chart.x.scaling == Scaling::linear ? Scale(low, high, ticks_wanted)
                                            : Scale(low, high, chart.x.scaling);
}

Scale y_scale_of(const Chart& chart, int ticks_wanted) {
  auto [low, high] = range_of(chart, &Point::y);
  if (chart.y.scaling != Scaling::linear && low <= high) return Scale(low, high, chart.y.scaling);
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  // A little noise below zero is no reason for an axis that goes there.
  if (low > -kNoise * high) low = 0;
  return Scale(low, high, ticks_wanted);
}

}  // namespace carrel::lab
