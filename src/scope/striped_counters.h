// StripedCounters: counters that many threads raise without fighting for one cache line.
//
// As many threads as there are owned stripes have one to themselves while they live, and count with
// a plain load and store. Later ones share, with locked instructions.
//
// Threads: add() and sum() from any; a sum is exact once those who add have been waited for.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace carrel::scope {

// The stripe of this thread in all StripedCounters.
class Stripe {
 public:
  static constexpr std::uint32_t kOwned = 32;  // by one thread at a time
  static constexpr std::uint32_t kShared = 8;
  static constexpr std::uint32_t kCount = kOwned + kShared;

  [[nodiscard]] static std::uint32_t of_this_thread() noexcept {
    if (own_ == kNone) [[unlikely]]
      choose();
    return own_;
  }

 private:
  static constexpr std::uint32_t kNone = kCount;
  static void choose() noexcept;
  // Gives an owned stripe back when the thread ends.
  static void give_back(void* place) noexcept;

  static constinit thread_local std::uint32_t own_ [[gnu::tls_model("initial-exec")]];
};

template <std::size_t N>
class StripedCounters {
 public:
  struct Step {
    std::size_t counter;
    std::uint64_t by;
  };

  void add(std::initializer_list<Step> steps) noexcept {
    const std::uint32_t own = Stripe::of_this_thread();
    auto& values = stripes_[own].values;
    // Relaxed: figures, which order nothing. Whoever has the stripe next has seen what is in it:
    // it comes by release and acquire.
    if (own < Stripe::kOwned) [[likely]] {
      for (const auto& [counter, by] : steps)
        values[counter].store(values[counter].load(std::memory_order_relaxed) + by,
                              std::memory_order_relaxed);
    } else {
      for (const auto& [counter, by] : steps)
        values[counter].fetch_add(by, std::memory_order_relaxed);
    }
  }
  [[nodiscard]] std::uint64_t sum(std::size_t counter) const noexcept {
    std::uint64_t sum = 0;
    for (const Counters& stripe : stripes_)
      sum += stripe.values[counter].load(std::memory_order_relaxed);  // as add()
    return sum;
  }

 private:
  struct alignas(64) Counters {
    std::array<std::atomic<std::uint64_t>, N> values{};
  };
  std::array<Counters, Stripe::kCount> stripes_{};
};

}  // namespace carrel::scope
