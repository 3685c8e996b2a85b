#include "scope/striped_counters.h"

#include <pthread.h>

#include <bit>

#include "scope/end_of_thread.h"

namespace carrel::scope {
namespace {

// A bit for each owned stripe that a thread has.
constinit std::atomic<std::uint32_t> taken{0};
static_assert(Stripe::kOwned == 32);

// An address for each of them.
constinit std::array<char, Stripe::kOwned> places{};

// A free one; kOwned if there is none.
std::uint32_t take_owned() noexcept {
  std::uint32_t now = taken.load(std::memory_order_relaxed);  // a first guess
  while (now != ~std::uint32_t{0}) {
    const auto free = static_cast<std::uint32_t>(std::countr_one(now));
    // Acquire: what the last owner counted is counted on from.
    if (taken.compare_exchange_weak(now, now | (std::uint32_t{1} << free),
                                    std::memory_order_acquire, std::memory_order_relaxed))
      return free;
  }
  return Stripe::kOwned;
}

std::uint32_t next_shared() noexcept {
  static constinit std::atomic<std::uint32_t> last{0};
  return Stripe::kOwned + last.fetch_add(1, std::memory_order_relaxed) % Stripe::kShared;
}

}  // namespace

constinit thread_local std::uint32_t Stripe::own_ [[gnu::tls_model("initial-exec")]] = kNone;

// What other destructors of the thread count after this goes to a shared one. `place` tells which
// owned stripe it is: the end of a thread is called with a pointer.
void Stripe::give_back(void* place) noexcept {
  own_ = next_shared();
  const auto owned = static_cast<std::uint32_t>(static_cast<const char*>(place) - places.data());
  // Release: see take_owned().
  taken.fetch_and(~(std::uint32_t{1} << owned), std::memory_order_release);
}

void Stripe::choose() noexcept {
  // A forked child has one thread: the stripes of the others are free there. If the handler cannot
  // be installed, they stay taken, and the child's later threads share.
  [[maybe_unused]] static const int installed = pthread_atfork(nullptr, nullptr, [] {
    // Relaxed: there is no other thread.
    taken.store(own_ < kOwned ? std::uint32_t{1} << own_ : 0, std::memory_order_relaxed);
  });
  static const EndOfThread end(&give_back);
  const std::uint32_t owned = take_owned();
  if (owned == kOwned) {
    own_ = next_shared();
    return;
  }
  own_ = owned;
  // Without memory for it: a stripe that would never come back is better shared at once.
  if (!end.call_with(&places[owned])) give_back(&places[owned]);
}

}  // namespace carrel::scope
