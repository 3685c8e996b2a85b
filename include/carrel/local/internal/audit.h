// What a task left on its thread: the local layer's half of the audit. Internal: use Boundary.
//
//   const local::AuditMark mark = local::mark_audit();
//   task();
//   if (local::changed_since(mark))
//     for (const local::ValueRecord& value : local::values_since(mark)) ...
//
// A value counts if it was created or replaced since the mark and its variable's lifetime is
// `task`; a bind guard that has ended leaves no trace. Threads: all about the calling thread's own
// map. Errors: std::bad_alloc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "carrel/local/internal/key.h"
#include "carrel/local/internal/thread_block.h"
#include "carrel/local/options.h"

namespace carrel::local {

struct AuditMark {
  std::uint64_t epoch;
};

struct ValueRecord {
  Key key;
  std::string variable;  // the name, or the type's if it has none
  std::string type;
  std::size_t bytes = 0;
  std::chrono::milliseconds age{};  // since it was made, to 10 ms; a set() does not make it younger
  Lifetime lifetime = Lifetime::task;
  bool shared = false;  // another thread's value refers to the same object; inspect_threads() only
};

// One addition.
[[nodiscard]] inline AuditMark mark_audit() noexcept {
  return {thread_block.map.next_epoch()};
}

// False: nothing was created or replaced. True: something was; it may be gone again. Two
// loads.
[[nodiscard]] inline bool changed_since(AuditMark mark) noexcept {
  const ThreadLocalMap& map = thread_block.map;
  return map.last_creation() >= mark.epoch || map.last_replacement() >= mark.epoch;
}

// What is left, oldest first. O(values left), and O(values held) if a value that was there before
// was replaced.
[[nodiscard]] std::vector<ValueRecord> values_since(AuditMark mark);

// All values of this thread, oldest first.
[[nodiscard]] std::vector<ValueRecord> values_of_this_thread();

// Removes this thread's value of the variable that `key` names. False if there is none (any more).
bool remove_value(Key key) noexcept;

}  // namespace carrel::local
