// What all threads hold: the local layer's half of carrel::inspect(). Internal to the library.
//
// Threads: from any; it stops nobody for longer than it takes to copy one variable's entries, and
// reads only what the owners have recorded, never a value. Errors: std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "carrel/local/internal/audit.h"

namespace carrel::local {

struct ThreadReport {
  std::uint64_t thread = 0;    // Carrel's own number of it, never given twice
  std::uint32_t capacity = 0;  // entries that its map has room for
  std::uint32_t entries = 0;   // entries in use, stale ones included
  std::uint32_t stale = 0;     // keys of dead variables
  std::vector<ValueRecord> values;
};

struct ProcessFigures {
  std::size_t variables = 0;  // alive
  std::size_t slots = 0;      // ever made: they are used again and never freed
  std::size_t threads = 0;    // that have used a variable and have not ended
  std::size_t abandoned = 0;  // values whose destructor will never run: after fork, or resurrected
};

// Every thread that has used a variable. O(slots + values).
[[nodiscard]] std::vector<ThreadReport> inspect_threads();
[[nodiscard]] ProcessFigures process_figures() noexcept;

// Where Carrel writes what it has to report and cannot throw: one line without its end. The default
// writes to stderr. nullptr restores that. Threads: callable from any.
using Reporter = void (*)(std::string_view line) noexcept;
void set_reporter(Reporter reporter) noexcept;

}  // namespace carrel::local
