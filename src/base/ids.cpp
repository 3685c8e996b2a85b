#include "carrel/base/ids.h"

#include <algorithm>
#include <chrono>

namespace carrel {
namespace {

constexpr auto kEpoch = std::chrono::sys_days{std::chrono::year{2024} / 1 / 1};
constexpr int kSequenceBits = 14;
constexpr int kTagBits = 8;

}  // namespace

std::int64_t IdSource::next_block(std::uint8_t tag, std::int64_t count) noexcept {
  using std::chrono::duration_cast, std::chrono::milliseconds;
  const std::int64_t now = duration_cast<milliseconds>(clock_.wall_now() - kEpoch).count()
                           << kSequenceBits;
  // Relaxed: only the uniqueness of the numbers matters, and the exchange alone gives that.
  std::int64_t last = last_.load(std::memory_order_relaxed);
  std::int64_t mine = 0;
  do {
    mine = std::max(now, last + 1);
  } while (!last_.compare_exchange_weak(last, mine + count - 1, std::memory_order_relaxed));
  return (mine << kTagBits) | tag;
}

void IdSource::continue_after(std::int64_t id) noexcept {
  const std::int64_t least = id >> kTagBits;
  std::int64_t last = last_.load(std::memory_order_relaxed);
  while (last < least && !last_.compare_exchange_weak(last, least, std::memory_order_relaxed)) {
  }
}

}  // namespace carrel
