#include "client/progress_display.h"

#include <fmt/format.h>

#include <algorithm>

namespace carrel::client {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBarWidth = 30;
constexpr auto kBarEvery = 100ms;
constexpr auto kLineEvery = 5s;

double in_seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string ProgressDisplay::describe(const State& state, Style style) {
  const double seconds = in_seconds(state.elapsed);
  const double rate = seconds > 0 ? static_cast<double>(state.answered) / seconds : 0;
  const double fraction = std::min(state.fraction, 1.0);
  std::string line;
  if (fraction >= 0 && style == Style::bar) {
    const auto full = static_cast<std::size_t>(fraction * kBarWidth);
    line += fmt::format("[{:#<{}}{:.<{}}] ", "", full, "", kBarWidth - full);
  }
  if (fraction >= 0) line += fmt::format("{:3.0f}%  ", fraction * 100);
  line += fmt::format("{} answered  {:.0f}/s  p99 {:.1f} ms", state.answered, rate,
                      in_seconds(state.p99) * 1000);
  if (fraction > 0 && fraction < 1)
    line += fmt::format("  {:.0f} s left", seconds / fraction - seconds);
  return line;
}

void ProgressDisplay::show(const State& state) {
  const auto every = style_ == Style::bar ? std::chrono::nanoseconds{kBarEvery} : kLineEvery;
  const bool last = state.fraction >= 1 && style_ == Style::bar;
  if (state.elapsed - shown_at_ < every && !last) return;
  shown_at_ = state.elapsed;
  if (style_ == Style::bar) {
    out_ << '\r' << describe(state, style_) << "\x1b[K" << std::flush;
    bar_drawn_ = true;
  } else {
    out_ << describe(state, style_) << std::endl;
  }
}

ProgressDisplay::~ProgressDisplay() {
  if (bar_drawn_) out_ << std::endl;
}

}  // namespace carrel::client
