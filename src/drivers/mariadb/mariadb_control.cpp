#include "drivers/mariadb/mariadb_control.h"

#include <mysqld_error.h>

#include <string>

namespace carrel::mariadb {

void Control::kill(remote::CancelTarget target, unsigned long connection_id) noexcept {
  const std::lock_guard lock(mutex_);
  const auto deadline = remote::at_most(kNoDeadline, options_->upkeep_max);
  const auto sql =
      (target == remote::CancelTarget::statement ? "kill query " : "kill connection ") +
      std::to_string(connection_id);
  // The server may have closed the connection since it was last used: once more, with a new one.
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      if (try_kill(sql, deadline)) return;
    } catch (const Error&) {
      return;  // no server, no room: whoever waits for the statement gives its connection up
    }
  }
}

bool Control::try_kill(const std::string& sql, Clock::Steady deadline) {
  if (!link_) link_ = std::make_unique<Link>(*options_, deadline);
  Patience patience(deadline);
  const auto trouble = link_->command(sql, patience);
  if (!link_->lost()) return !trouble || trouble->number == ER_NO_SUCH_THREAD;
  link_.reset();
  return false;
}

}  // namespace carrel::mariadb
