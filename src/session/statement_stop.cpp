#include "session/statement_stop.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#include "carrel/db/sql_error.h"

namespace carrel::session {
namespace {

constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kPauseMax{100};

}  // namespace

struct StatementStop::Target {
  explicit Target(Connection& to_cancel) : connection(&to_cancel) {}

  void cancel_until_released() noexcept {
    std::unique_lock lock(mutex);
    for (auto pause = kFirstPause; connection != nullptr; pause = std::min(pause * 2, kPauseMax)) {
      connection->cancel();
      released.wait_for(lock, pause, [this] { return connection == nullptr; });
    }
  }

  std::mutex mutex;
  std::condition_variable released;
  Connection* connection;  // guarded by mutex; nothing once the statement has ended
};

// Whoever asks for the stop is not kept: cancelling goes on beside.
void StatementStop::Ask::operator()() const noexcept {
  try {
    std::thread([target = target] { target->cancel_until_released(); }).detach();
  } catch (const std::system_error&) {
    const std::scoped_lock lock(target->mutex);
    if (target->connection != nullptr) target->connection->cancel();
  }
}

void StatementStop::watch(const std::stop_token& stop, Connection& connection) {
  target_ = std::make_shared<Target>(connection);
  asked_.emplace(stop, Ask{target_});
}

void StatementStop::end() noexcept {
  asked_.reset();
  {
    const std::scoped_lock lock(target_->mutex);
    target_->connection = nullptr;
  }
  target_->released.notify_all();
}

void require_not_stopped(const std::stop_token& stop, std::string_view statement) {
  if (!stop.stop_requested()) return;
  throw SqlError("sql.cancelled", {.message = "a stop was asked for", .statement = statement});
}

}  // namespace carrel::session
