// ProgressDisplay: how far a replay is, for the person who waits.
//
// On a terminal a bar that redraws itself; elsewhere a plain line every few seconds.
//
// Threads: one. Lifetime: the stream outlives the display; the destructor ends the bar's line.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

namespace carrel::client {

class ProgressDisplay {
 public:
  enum class Style { bar, lines };

  struct State {
    double fraction = 0;  // 0 to 1; negative when the whole is not known
    std::uint64_t answered = 0;
    std::chrono::nanoseconds elapsed{0};
    std::chrono::nanoseconds p99{0};
  };

  ProgressDisplay(std::ostream& out, Style style) : out_(out), style_(style) {}
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay();

  void show(const State& state);

  // One line, without its end.
  [[nodiscard]] static std::string describe(const State& state, Style style);

 private:
  std::ostream& out_;
  Style style_;
  std::chrono::nanoseconds shown_at_{0};
  bool bar_drawn_ = false;
};

}  // namespace carrel::client
