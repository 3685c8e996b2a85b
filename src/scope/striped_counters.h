// StripedCounters: counters that many threads raise without fighting for one cache line.
//
// Threads: add() and sum() from any; a sum is exact once those who add have been waited for.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace carrel::scope {

template <std::size_t N>
class StripedCounters {
 public:
  void add(std::size_t counter, std::uint64_t by) noexcept {
    // Relaxed: figures, which order nothing.
    stripes_[stripe_of_this_thread()].values[counter].fetch_add(by, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t sum(std::size_t counter) const noexcept {
    std::uint64_t sum = 0;
    for (const Stripe& stripe : stripes_)
      sum += stripe.values[counter].load(std::memory_order_relaxed);  // as add()
    return sum;
  }

 private:
  static constexpr std::size_t kStripes = 16;
  struct alignas(64) Stripe {
    std::array<std::atomic<std::uint64_t>, N> values{};
  };

  static std::size_t stripe_of_this_thread() noexcept {
    static constinit std::atomic<std::size_t> threads{0};
    static constinit thread_local std::size_t own = kStripes;  // not yet chosen
    if (own == kStripes) [[unlikely]]
      own = threads.fetch_add(1, std::memory_order_relaxed) % kStripes;
    return own;
  }

  std::array<Stripe, kStripes> stripes_{};
};

}  // namespace carrel::scope
