#include "local/report.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>

#include "carrel/local/internal/inspect.h"

namespace carrel::local {
namespace {

void write_to_stderr(std::string_view line) noexcept {
  std::fprintf(stderr, "carrel: %.*s\n", static_cast<int>(line.size()), line.data());
}

// Relaxed, here and below: the function itself is constant, and nothing comes with it.
constinit std::atomic<Reporter> reporter_in_use{&write_to_stderr};

}  // namespace

void set_reporter(Reporter reporter) noexcept {
  reporter_in_use.store(reporter == nullptr ? &write_to_stderr : reporter,
                        std::memory_order_relaxed);
}

void report(std::string_view what, std::string_view variable) noexcept {
  // No allocation: this also runs when a thread is nearly gone. A longer line is cut.
  std::array<char, 240> line{};
  std::size_t size = 0;
  for (const std::string_view part : {what, variable}) {
    const std::size_t fits = std::min(part.size(), line.size() - size);
    std::ranges::copy(part.substr(0, fits), line.data() + size);
    size += fits;
  }
  reporter_in_use.load(std::memory_order_relaxed)(std::string_view(line.data(), size));
}

}  // namespace carrel::local
