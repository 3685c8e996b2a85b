#include "lab/svg_chart.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string_view>

#include "lab/scale.h"

namespace carrel::lab {
namespace {

// In user units of the document, which are pixels where it is shown unscaled.
constexpr double kWidth = 760;
constexpr double kLeft = 78;
constexpr double kTop = 48;
constexpr double kPlotWidth = 650;
constexpr double kPlotHeight = 300;
constexpr double kBottom = kTop + kPlotHeight;
constexpr double kLegendTop = kBottom + 66;
constexpr double kLegendLine = 20;

struct Stroke {
  std::string_view colour;
  std::string_view dashes;
};
// As many as the chart with the most curves has; then they begin anew.
constexpr Stroke kStrokes[] = {
    {"#d55e00", "none"},     {"#0072b2", "none"}, {"#009e73", "8 3"}, {"#cc79a7", "2 3"},
    {"#e69f00", "10 4 2 4"}, {"#56b4e9", "4 4"},  {"#000000", "1 4"}, {"#009e73", "none"},
    {"#d55e00", "6 3"},      {"#0072b2", "2 2"},  {"#cc79a7", "9 3"}, {"#56b4e9", "none"},
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string named(const Axis& axis) {
  return escaped(axis.unit.empty() ? axis.label : fmt::format("{} ({})", axis.label, axis.unit));
}

class Drawing {
 public:
  explicit Drawing(const Chart& chart)
      : chart_(chart), x_(x_scale_of(chart, 8)), y_(y_scale_of(chart, 6)) {}

  std::string finish() {
    open();
    axes();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      curve(chart_.series[i], kStrokes[i % std::size(kStrokes)]);
      legend(chart_.series[i], kStrokes[i % std::size(kStrokes)], i);
    }
    return out_ + "</svg>\n";
  }

 private:
  template <class... Parts>
  void add(fmt::format_string<Parts...> format, Parts&&... parts) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Parts>(parts)...);
  }
  [[nodiscard]] double left_of(double x) const { return kLeft + x_.position(x) * kPlotWidth; }
  [[nodiscard]] double top_of(double y) const { return kBottom - y_.position(y) * kPlotHeight; }

  void open() {
    const double height = kLegendTop + kLegendLine * static_cast<double>(chart_.series.size()) + 4;
    const std::string title = escaped(chart_.title);
    add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}")"
        R"( role="img" aria-label="{2}" font-family="sans-serif" font-size="13">)"
        "\n<title>{2}</title>\n"
        R"(<rect width="100%" height="100%" fill="white"/>)"
        "\n"
        R"(<text x="{3}" y="26" font-size="16" font-weight="bold">{2}</text>)"
        "\n",
        kWidth, height, title, kLeft);
  }

  void axes() {
    for (const double tick : y_.ticks())
      add(R"(<path d="M{:.1f} {:.1f}h{}" stroke="#ddd"/><text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)"
          "\n",
          kLeft, top_of(tick), kPlotWidth, kLeft - 8, top_of(tick) + 4, y_.label(tick));
    for (const double tick : x_.ticks())
      add(R"(<path d="M{:.1f} {:.1f}v6" stroke="#333"/><text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)"
          "\n",
          left_of(tick), kBottom, left_of(tick), kBottom + 22, x_.label(tick));
    add(R"(<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#333"/>)"
        "\n"
        R"(<text x="{4}" y="{5}" text-anchor="middle">{6}</text>)"
        "\n"
        R"x(<text transform="translate(20 {7}) rotate(-90)" text-anchor="middle">{8}</text>)x"
        "\n",
        kLeft, kTop, kBottom, kLeft + kPlotWidth, kLeft + kPlotWidth / 2, kBottom + 44,
        named(chart_.x), kTop + kPlotHeight / 2, named(chart_.y));
  }

  void curve(const Series& series, const Stroke& stroke) {
    add(R"(<polyline fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}" points=")",
        stroke.colour, stroke.dashes);
    for (const Point& point : series.points)
      add("{:.1f},{:.1f} ", left_of(point.x), top_of(point.y));
    add("{}", "\"/>\n");
  }

  void legend(const Series& series, const Stroke& stroke, std::size_t line) {
    const double top = kLegendTop + kLegendLine * static_cast<double>(line);
    add(R"(<path d="M{} {}h34" stroke="{}" stroke-width="2" stroke-dasharray="{}"/><text x="{}" y="{}">{}</text>)"
        "\n",
        kLeft, top, stroke.colour, stroke.dashes, kLeft + 44, top + 4, escaped(series.name));
  }

  const Chart& chart_;
  const Scale x_;
  const Scale y_;
  std::string out_;
};

}  // namespace

std::string draw_as_svg(const Chart& chart) {
  return Drawing(chart).finish();
}

}  // namespace carrel::lab
