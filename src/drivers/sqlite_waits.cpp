// What ends a statement, or a wait for a lock, before its time: the deadline and cancel().
#include <algorithm>
#include <thread>

#include "base/later.h"
#include "drivers/sqlite_connection.h"

namespace carrel::drivers {
namespace {

// Virtual machine steps between two looks at the clock: about half a millisecond.
constexpr int kStepsPerLook = 20'000;

// Between two attempts to take a lock that another one holds.
constexpr std::chrono::milliseconds kBusyPauseMax{20};

}  // namespace

void SqliteConnection::bound_waits() {
  sqlite3_busy_handler(db_.get(), &SqliteConnection::on_busy, this);
  sqlite3_progress_handler(db_.get(), kStepsPerLook, &SqliteConnection::on_progress, this);
}

// Looks at the clock and at cancel() every few steps. Non-zero ends the statement.
int SqliteConnection::on_progress(void* self) noexcept {
  auto& connection = *static_cast<SqliteConnection*>(self);
  if (connection.cancelled_.load(std::memory_order_relaxed)) return 1;
  if (connection.deadline() == kNoDeadline) return 0;
  connection.timed_out_ = Clock::Steady::clock::now() >= connection.deadline();
  return connection.timed_out_ ? 1 : 0;
}

// Called again and again while another one holds a lock. Zero gives up, as does the deadline, which
// then is what the error tells.
int SqliteConnection::on_busy(void* self, int calls) noexcept {
  auto& connection = *static_cast<SqliteConnection*>(self);
  const auto now = Clock::Steady::clock::now();
  if (calls == 0) connection.busy_since_ = now;
  connection.timed_out_ = now >= connection.deadline();
  if (connection.timed_out_ || connection.cancelled_.load(std::memory_order_relaxed)) return 0;
  const auto until =
      std::min(base::later(connection.busy_since_, connection.busy_max_), connection.deadline());
  if (now >= until) return 0;
  const auto pause = std::min(std::chrono::milliseconds(1 + calls), kBusyPauseMax);
  std::this_thread::sleep_until(std::min(now + pause, until));
  return 1;
}

}  // namespace carrel::drivers
