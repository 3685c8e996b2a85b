// LatencyHistogram: percentiles of any number of durations in constant memory.
//
// Log-linear buckets as in HdrHistogram (Gil Tene): every power of two is cut into 128 equal parts,
// so a percentile is at most 1/128 (0.8%) above the true value; count and maximum are exact.
//
// Threads: one. Range: 0 ns to 292 years; negative durations count as 0.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace carrel::client {

class LatencyHistogram {
 public:
  void record(std::chrono::nanoseconds duration) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::chrono::nanoseconds max() const noexcept { return max_; }

  // The smallest duration that at least `percent` (0 to 100) of the records do not exceed; 0 when
  // nothing was recorded.
  [[nodiscard]] std::chrono::nanoseconds percentile(double percent) const noexcept;

 private:
  static constexpr unsigned kPartBits = 7;
  static constexpr std::size_t kBuckets = (64 - kPartBits + 1) << kPartBits;

  static std::size_t bucket_of(std::uint64_t value) noexcept;
  static std::uint64_t highest_in(std::size_t bucket) noexcept;

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{0};
};

}  // namespace carrel::client
