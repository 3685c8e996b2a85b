#include "drivers/postgres/postgres_canceller.h"

#include <array>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

namespace carrel::postgres {

struct Canceller::State {
  struct Free {
    void operator()(PGcancel* key) const noexcept { PQfreeCancel(key); }
  };

  // False where the server could not be reached; the statement then ends by itself, or never.
  void send() noexcept {
    std::array<char, 256> error{};
    static_cast<void>(PQcancel(key.get(), error.data(), static_cast<int>(error.size())));
    const std::lock_guard lock(mutex_);
    under_way = false;
    sent.notify_all();
  }

  std::unique_ptr<PGcancel, Free> key;
  std::mutex mutex_;
  std::condition_variable sent;
  // All guarded by mutex_.
  bool running = false;
  bool under_way = false;
  CancelReason reason = CancelReason::none;
};

Canceller::Canceller(PGconn* connection) : state_(std::make_shared<State>()) {
  state_->key.reset(PQgetCancel(connection));
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
    std::thread([state = state_] { state->send(); }).detach();
  } catch (const std::system_error&) {
    state_->send();  // no thread to be had: the caller waits itself
  }
}

}  // namespace carrel::postgres
