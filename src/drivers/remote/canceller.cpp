#include "drivers/remote/canceller.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace carrel::remote {

namespace {

// A request that reaches the server before the statement does hits nothing, so it is made again.
constexpr std::chrono::milliseconds kFirstPause{10};
constexpr std::chrono::milliseconds kPauseMax{1'000};

}  // namespace

struct Canceller::State {
  [[nodiscard]] bool runs(std::uint64_t statement) const noexcept {
    return running && statement == number;
  }

  void deliver(std::uint64_t statement) noexcept {
    std::unique_lock lock(mutex_);
    for (auto pause = kFirstPause; runs(statement); pause = std::min(pause * 2, kPauseMax)) {
      under_way = true;
      lock.unlock();
      send();
      lock.lock();
      under_way = false;
      changed.notify_all();
      changed.wait_for(lock, pause, [&] { return !runs(statement); });
    }
  }

  std::function<void()> send;
  std::mutex mutex_;
  std::condition_variable changed;
  // All guarded by mutex_.
  std::uint64_t number = 0;  // of the statement
  bool running = false;
  bool under_way = false;
  CancelReason reason = CancelReason::none;
};

Canceller::Canceller(std::function<void()> send) : state_(std::make_shared<State>()) {
  state_->send = std::move(send);
}

void Canceller::statement_begins() noexcept {
  const std::lock_guard lock(state_->mutex_);
  ++state_->number;
  state_->running = true;
  state_->reason = CancelReason::none;
}

Aftermath Canceller::statement_ends(Clock::Steady deadline) noexcept {
  std::unique_lock lock(state_->mutex_);
  state_->running = false;
  Aftermath aftermath{.reason = state_->reason};
  if (aftermath.reason == CancelReason::none) return aftermath;
  state_->changed.notify_all();
  aftermath.settled =
      state_->changed.wait_until(lock, deadline, [this] { return !state_->under_way; });
  return aftermath;
}

void Canceller::request(CancelReason reason) noexcept {
  std::uint64_t statement = 0;
  {
    const std::lock_guard lock(state_->mutex_);
    if (!state_->running || state_->reason != CancelReason::none) return;
    state_->reason = reason;
    statement = state_->number;
  }
  try {
    std::thread([state = state_, statement] { state->deliver(statement); }).detach();
  } catch (const std::system_error&) {
    state_->send();  // no thread to be had: the caller waits itself
  }
}

}  // namespace carrel::remote
