#include "client/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace carrel::client {

std::size_t LatencyHistogram::bucket_of(std::uint64_t value) noexcept {
  // Below 2^7 every value has a bucket of its own; above, the seven bits after the leading one
  // choose among the 128 parts of its power of two.
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kPartBits) return value;
  const unsigned shift = width - kPartBits - 1;
  return (std::size_t{shift} << kPartBits) + (value >> shift);
}

std::uint64_t LatencyHistogram::highest_in(std::size_t bucket) noexcept {
  if (bucket < (std::size_t{2} << kPartBits)) return bucket;
  const unsigned shift = static_cast<unsigned>(bucket >> kPartBits) - 1;
  const std::uint64_t part = bucket - (std::size_t{shift} << kPartBits);
  return ((part + 1) << shift) - 1;
}

void LatencyHistogram::record(std::chrono::nanoseconds duration) noexcept {
  duration = std::max(duration, std::chrono::nanoseconds{0});
  ++counts_[bucket_of(static_cast<std::uint64_t>(duration.count()))];
  ++count_;
  max_ = std::max(max_, duration);
}

std::chrono::nanoseconds LatencyHistogram::percentile(double percent) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(
      std::ceil(std::clamp(percent, 0.0, 100.0) / 100.0 * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (counts_[bucket] > 0 && seen >= wanted)
      return std::min(max_, std::chrono::nanoseconds{highest_in(bucket)});
  }
  return max_;
}

}  // namespace carrel::client
