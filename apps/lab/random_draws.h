// RandomDraws: what happens at random in an experiment, the same for a seed on every machine.
//
//   RandomDraws draw(context.seed, request.number);   // the n-th request is always the same
//   if (draw.chance(0.02)) throw Mishap();
//
// SplitMix64 (Steele, Lea, Flood 2014), which turns neighbouring numbers into independent ones.
// Threads: used by one. Errors: none.
#pragma once

#include <cstdint>

namespace carrel::lab {

class RandomDraws {
 public:
  RandomDraws(std::uint64_t seed, std::int64_t number) noexcept
      : state_(seed * 0x2545f4914f6cdd1dULL + static_cast<std::uint64_t>(number)) {}

  // From 0 to less than 1.
  [[nodiscard]] double share() noexcept {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  }
  [[nodiscard]] bool chance(double of) noexcept { return share() < of; }

 private:
  std::uint64_t state_;
};

}  // namespace carrel::lab
