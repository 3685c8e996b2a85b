// Link: a libmariadb connection whose every call that may wait is bounded by a deadline.
//
// libmariadb counts its own time-outs in whole seconds. Its non-blocking calls (name_start and
// name_cont) say instead what they wait for; waiting is done here, by poll().
//
//   int failed = 0;
//   link.run(patience, [&] { return mysql_query_start(&failed, link.get(), "do 0"); },
//            [&](int ready) { return mysql_query_cont(&failed, link.get(), ready); });
//
// Threads: one at a time. Lifetime: owns the MYSQL; closing never blocks.
#pragma once

#include <mysql.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "carrel/base/clock.h"
#include "carrel/drivers/mariadb.h"
#include "db/coarse_clock.h"
#include "drivers/mariadb/mariadb_error.h"
#include "drivers/mariadb/mariadb_handshake.h"
#include "drivers/mariadb/mariadb_reads.h"
#include "drivers/remote/canceller.h"
#include "drivers/remote/deadline.h"

namespace carrel::mariadb {

// Waits until the deadline and, where the statement can be cancelled, a little longer.
class Patience {
 public:
  explicit Patience(Clock::Steady deadline) noexcept : limit_(deadline) {}
  Patience(Clock::Steady deadline, std::chrono::milliseconds grace,
           remote::Canceller& canceller) noexcept
      : limit_(deadline), grace_(grace), canceller_(&canceller) {}

  // The events that happened, as libmariadb counts them; its time-out once all patience is gone.
  [[nodiscard]] int wait(MYSQL* connection, int events) noexcept;
  void give_up() noexcept { gone_ = true; }
  [[nodiscard]] bool gone() const noexcept { return gone_; }
  // The next wait would end the patience, by a coarse clock, which is never ahead of the one that
  // waits. Not once it is gone: a link that was given up has to read its end.
  [[nodiscard]] bool late() const noexcept {
    return !gone_ && limit_ != kNoDeadline && db::coarse_now(SystemClock::get()) >= limit_;
  }

 private:
  Clock::Steady limit_;
  std::chrono::milliseconds grace_{0};
  remote::Canceller* canceller_ = nullptr;  // none once it has been asked
  bool gone_ = false;
};

struct FreeRows {
  void operator()(MYSQL_RES* rows) const noexcept { mysql_free_result(rows); }
};
using RowsPtr = std::unique_ptr<MYSQL_RES, FreeRows>;

// What the server said to a text of one or several statements, of which it runs none after the
// first that fails.
struct Replies {
  std::size_t done = 0;            // statements that succeeded
  std::optional<Trouble> trouble;  // of the one after them
  RowsPtr rows;                    // of the last one that gave any
  std::int64_t changed = 0;        // rows, by the last one
};

// Nothing is sent or received any more. Frees nothing.
void close_link(MYSQL* connection) noexcept;

class Link {
 public:
  // Connects. Throws as mariadb.h says.
  Link(const MariadbOptions& options, Clock::Steady deadline);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  // Closing says goodbye, which nobody waits for, unless there is no telling what would be read.
  ~Link() = default;

  [[nodiscard]] MYSQL* get() const noexcept { return connection_.get(); }
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] std::uint64_t round_trips() const noexcept { return round_trips_; }
  void count_round_trip() noexcept { ++round_trips_; }

  template <class Start, class Continue>
  void run(Patience& patience, const Start& start, const Continue& proceed) {
    if (encrypted_) make_ready_for_tls();
    const ReadsWhile reading(patience);
    for (int waits_for = start(); waits_for != 0;) {
      const int ready = patience.wait(get(), waits_for);
      // Over TLS, libmariadb goes on after a time-out as if there was none; not on a closed link.
      if (patience.gone()) give_up();
      waits_for = proceed(ready);
    }
  }

  // Sends one text, which may hold several statements, and reads all answers: one round trip.
  [[nodiscard]] Replies ask(const std::string& sql, Patience& patience);
  // The same for a text of our own, of which nobody wants the rows.
  [[nodiscard]] std::optional<Trouble> command(const std::string& sql, Patience& patience);
  // The first value of the last row that command() read; empty where it was null.
  [[nodiscard]] const std::string& answer() const noexcept { return answer_; }
  // True where the server has put everything of the session back to its defaults.
  [[nodiscard]] bool reset_session(Patience& patience);
  [[nodiscard]] bool ping(Patience& patience);

  // From now on nothing is sent or received.
  void give_up() noexcept;

 private:
  void make_ready_for_tls() noexcept;
  void require_suitable_server(unsigned long version_min) const;

  ConnectionPtr connection_;
  bool encrypted_;
  std::string answer_;
  bool lost_ = false;
  std::uint64_t round_trips_ = 0;
};

}  // namespace carrel::mariadb
