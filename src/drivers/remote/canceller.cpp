#include "drivers/remote/canceller.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "base/later.h"

namespace carrel::remote {

namespace {

// A request that reaches the server before the statement does hits nothing, so it is made again.
constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kPauseMax{1'000};

}  // namespace

// The statement and what was asked of it are one word: beginning and ending one, which every call
// does, then take no lock. Whoever has been asked, and whoever cancels, meet at the mutex.
struct Canceller::State {
  static constexpr std::uint64_t kReason = 3;
  static constexpr std::uint64_t kRunning = 4;
  static constexpr std::uint64_t kGivenUp = 8;  // and the connection with it
  static constexpr unsigned kNumberShift = 4;

  [[nodiscard]] bool runs(std::uint64_t number) const noexcept {
    // Relaxed: what it decides is settled under the mutex.
    const auto seen = statement.load(std::memory_order_relaxed);
    return (seen & kRunning) != 0 && seen >> kNumberShift == number;
  }

  void deliver(std::uint64_t number) noexcept {
    std::unique_lock lock(mutex_);
    for (auto pause = kFirstPause; runs(number); pause = std::min(pause * 2, kPauseMax)) {
      under_way = true;
      lock.unlock();
      send(CancelTarget::statement);
      lock.lock();
      under_way = false;
      changed.notify_all();
      changed.wait_for(lock, pause, [&] { return !runs(number); });
    }
    // Relaxed: it came with the end that runs() has seen, or under the mutex.
    const bool given_up = (statement.load(std::memory_order_relaxed) & kGivenUp) != 0;
    lock.unlock();
    if (given_up) send(CancelTarget::connection);
  }

  std::function<void(CancelTarget)> send;
  std::atomic<std::uint64_t> statement{0};  // its number, whether it runs, and the reason
  std::mutex mutex_;
  std::condition_variable changed;  // with mutex_: the statement, or under_way
  bool under_way = false;           // guarded by mutex_
};

Canceller::Canceller(std::function<void(CancelTarget)> send) : state_(std::make_shared<State>()) {
  state_->send = std::move(send);
}

// Relaxed: a request that does not see it yet finds nothing to cancel, as if it had come earlier.
void Canceller::statement_begins() noexcept {
  ++number_;
  state_->statement.store(number_ << State::kNumberShift | State::kRunning,
                          std::memory_order_relaxed);
}

Aftermath Canceller::statement_ends(std::chrono::milliseconds grace, bool of_use) noexcept {
  // An exchange, so that a request comes either before the end, and is seen, or after it, and does
  // nothing. Relaxed, as nothing else hangs on it.
  const auto ended = number_ << State::kNumberShift | (of_use ? 0 : State::kGivenUp);
  const auto was = state_->statement.exchange(ended, std::memory_order_relaxed);
  Aftermath aftermath{.reason = static_cast<CancelReason>(was & State::kReason)};
  if (aftermath.reason == CancelReason::none) return aftermath;
  aftermath.limit = base::from_now(grace);
  std::unique_lock lock(state_->mutex_);
  state_->changed.notify_all();
  aftermath.settled =
      state_->changed.wait_until(lock, aftermath.limit, [this] { return !state_->under_way; });
  if (!aftermath.settled)
    state_->statement.fetch_or(State::kGivenUp, std::memory_order_relaxed);  // under the mutex
  return aftermath;
}

void Canceller::request(CancelReason reason) noexcept {
  auto seen = state_->statement.load(std::memory_order_relaxed);
  do {
    if ((seen & State::kRunning) == 0 || (seen & State::kReason) != 0) return;
  } while (!state_->statement.compare_exchange_weak(seen, seen | static_cast<std::uint64_t>(reason),
                                                    std::memory_order_relaxed));
  const auto number = seen >> State::kNumberShift;
  try {
    std::thread([state = state_, number] { state->deliver(number); }).detach();
  } catch (const std::system_error&) {
    state_->send(CancelTarget::statement);  // no thread to be had: the caller waits itself
  }
}

}  // namespace carrel::remote
