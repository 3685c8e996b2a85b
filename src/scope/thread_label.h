// ThreadLabel: the name of the scope that a thread is in, for other threads' eyes.
//
// A thread writes its own label at every change of scope, and nobody waits: a sequence lock tells a
// reader that it has read across a change and should try again. What is behind a label is owned by
// the list below, and freed when the thread ends.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "carrel/scope/scope.h"

namespace carrel::scope {

struct LabelCopy {
  std::uint64_t thread = 0;
  ScopeName name;
  std::uint32_t depth = 0;  // 0: in no scope
  Clock::Steady started;
};

class ThreadLabel {
 public:
  // By the thread that the label is of. nullptr: in no scope.
  void write(const Scope* scope, std::uint64_t thread) noexcept;
  // By any thread.
  [[nodiscard]] LabelCopy read() const noexcept;

 private:
  static constexpr std::size_t kWords = sizeof(ScopeName) / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;

  std::atomic<std::uint32_t> sequence_{0};  // odd: being written
  std::atomic<std::uint32_t> depth_{0};
  std::atomic<std::uint64_t> thread_{0};
  std::atomic<Clock::Steady::rep> started_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

// Writes this thread's label.
void label_this_thread(const Scope* scope) noexcept;
// The labels of all threads that have been in a scope and have not ended.
[[nodiscard]] std::vector<LabelCopy> read_labels();

}  // namespace carrel::scope
