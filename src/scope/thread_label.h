// ThreadLabel: the name of the scope that a thread is in, for other threads' eyes.
//
// A thread writes its own label at every change of scope, and nobody waits: a sequence lock tells a
// reader that it has read across a change and should try again. What is behind a label is owned by
// the list below, and freed when the thread ends.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <vector>

#include "carrel/local/internal/thread_block.h"
#include "carrel/scope/scope.h"

namespace carrel::scope {

struct LabelCopy {
  std::uint64_t thread = 0;
  ScopeName name;
  std::uint32_t depth = 0;  // 0: in no scope
  std::uint64_t started_ticks = 0;
};

class ThreadLabel {
 public:
  // By the thread that the label is of, here and below.
  void write(const Scope& scope, std::uint64_t thread) noexcept;
  // In no scope.
  void wipe() noexcept {
    // One store needs no sequence number. Relaxed: what the label said before is still whole.
    depth_.store(0, std::memory_order_relaxed);
  }
  // By any thread.
  [[nodiscard]] LabelCopy read() const noexcept;

 private:
  static constexpr std::size_t kWords = sizeof(ScopeName) / sizeof(std::uint64_t);
  using Words = std::array<std::uint64_t, kWords>;

  std::atomic<std::uint32_t> sequence_{0};  // odd: being written
  std::atomic<std::uint32_t> depth_{0};
  std::atomic<std::uint64_t> thread_{0};
  std::atomic<std::uint64_t> started_ticks_{0};
  std::array<std::atomic<std::uint64_t>, kWords> words_{};
};

// The orders: a release store of a word keeps the odd sequence number before it, and an acquire
// load that sees the word keeps the second look at the number behind it; the last store publishes
// all.
inline void ThreadLabel::write(const Scope& scope, std::uint64_t thread) noexcept {
  const std::uint32_t sequence = sequence_.load(std::memory_order_relaxed);  // its own
  sequence_.store(sequence + 1, std::memory_order_relaxed);
  depth_.store(scope.depth() + 1, std::memory_order_release);
  thread_.store(thread, std::memory_order_release);
  started_ticks_.store(Access::started_ticks(scope), std::memory_order_release);
  const auto* const words = reinterpret_cast<const unsigned char*>(&Access::name(scope));
  const auto word = [words](std::size_t i) {
    std::uint64_t value = 0;
    std::memcpy(&value, words + i * sizeof(value), sizeof(value));
    return value;
  };
  // The words that the text uses, and the last one, which has its length.
  const std::size_t used = Access::name(scope).view().size();
  for (std::size_t i = 0; i * sizeof(std::uint64_t) < used; ++i)
    words_[i].store(word(i), std::memory_order_release);
  words_[kWords - 1].store(word(kWords - 1), std::memory_order_release);
  sequence_.store(sequence + 2, std::memory_order_release);
}

// This thread's label, once it is listed. Initial-exec: as Here.
extern constinit thread_local ThreadLabel* own_label [[gnu::tls_model("initial-exec")]];
// Lists the thread. nullptr: it is ending, or there is no memory; a scope works without as well.
[[nodiscard]] ThreadLabel* list_this_thread() noexcept;

// Writes this thread's label. nullptr: it is in no scope.
inline void label_this_thread(const Scope* scope) noexcept {
  ThreadLabel* label = own_label;
  if (label == nullptr) [[unlikely]] {
    label = list_this_thread();
    if (label == nullptr) return;
  }
  if (scope == nullptr) {
    label->wipe();
  } else {
    label->write(*scope, local::thread_block.id);
  }
}

// The labels of all threads that have been in a scope and have not ended.
[[nodiscard]] std::vector<LabelCopy> read_labels();

}  // namespace carrel::scope
