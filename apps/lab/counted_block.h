// CountedBlock: a block of memory that says when it comes and goes, so that what is still held can
// be told to the byte.
//
// Threads: the tally may be used by all; a block by one at a time. Lifetime: the tally outlives its
// blocks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace carrel::lab {

class ByteTally {
 public:
  // Relaxed, here and below: a figure on its own, read when the threads stand still.
  void add(std::int64_t bytes) noexcept { held_.fetch_add(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> held_{0};
};

class CountedBlock {
 public:
  CountedBlock(ByteTally& tally, std::size_t bytes) : tally_(&tally), block_(bytes, std::byte{1}) {
    count(1);
  }
  CountedBlock(CountedBlock&& other) noexcept
      : tally_(other.tally_), block_(std::exchange(other.block_, {})) {}
  CountedBlock& operator=(CountedBlock&& other) noexcept {
    std::swap(tally_, other.tally_);
    std::swap(block_, other.block_);
    return *this;
  }
  ~CountedBlock() { count(-1); }

 private:
  void count(std::int64_t sign) noexcept {
    tally_->add(sign * static_cast<std::int64_t>(block_.size()));
  }

  ByteTally* tally_;
  std::vector<std::byte> block_;
};

}  // namespace carrel::lab
