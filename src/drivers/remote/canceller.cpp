#include "drivers/remote/canceller.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace carrel::remote {

struct Canceller::State {
  void deliver() noexcept {
    send();
    const std::lock_guard lock(mutex_);
    under_way = false;
    sent.notify_all();
  }

  std::function<void()> send;
  std::mutex mutex_;
  std::condition_variable sent;
  // All guarded by mutex_.
  bool running = false;
  bool under_way = false;
  CancelReason reason = CancelReason::none;
};

Canceller::Canceller(std::function<void()> send) : state_(std::make_shared<State>()) {
  state_->send = std::move(send);
}

void Canceller::statement_begins() noexcept {
  const std::lock_guard lock(state_->mutex_);
  state_->running = true;
  state_->reason = CancelReason::none;
}

Aftermath Canceller::statement_ends(Clock::Steady deadline) noexcept {
  std::unique_lock lock(state_->mutex_);
  state_->running = false;
  Aftermath aftermath{.reason = state_->reason};
  if (state_->under_way)
    aftermath.settled =
        state_->sent.wait_until(lock, deadline, [this] { return !state_->under_way; });
  return aftermath;
}

void Canceller::request(CancelReason reason) noexcept {
  {
    const std::lock_guard lock(state_->mutex_);
    if (!state_->running || state_->reason != CancelReason::none) return;
    state_->reason = reason;
    state_->under_way = true;
  }
  try {
    std::thread([state = state_] { state->deliver(); }).detach();
  } catch (const std::system_error&) {
    state_->deliver();  // no thread to be had: the caller waits itself
  }
}

}  // namespace carrel::remote
