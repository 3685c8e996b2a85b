// Run: one statement under way. When it ends, no request to cancel it can hit a later one.
#pragma once

#include "drivers/mariadb/mariadb_connection.h"

namespace carrel::mariadb {

class MariadbConnection::Run {
 public:
  explicit Run(MariadbConnection& connection)
      : of_(connection),
        patience_(connection.deadline(), connection.options_->grace, connection.canceller_) {
    of_.canceller_.statement_begins();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { static_cast<void>(end()); }

  [[nodiscard]] Patience& patience() noexcept { return patience_; }

  // Why the statement was cancelled, if it was.
  remote::CancelReason end() {
    if (ended_) return reason_;
    ended_ = true;
    const auto aftermath = of_.canceller_.statement_ends(of_.options_->grace, !of_.broken());
    reason_ = aftermath.reason;
    if (reason_ == remote::CancelReason::none || of_.broken()) return reason_;
    // A KILL that came too late ends the next statement: this one, which does nothing.
    Patience patience(aftermath.limit);
    if (aftermath.settled)
      static_cast<void>(of_.link_.command("do 0", patience));
    else
      of_.link_.give_up();
    return reason_;
  }

 private:
  MariadbConnection& of_;
  Patience patience_;
  bool ended_ = false;
  remote::CancelReason reason_ = remote::CancelReason::none;
};

}  // namespace carrel::mariadb
