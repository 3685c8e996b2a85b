// The part of MariadbConnection that cleans up behind a borrower.
#include <string>

#include "db/busy.h"
#include "drivers/mariadb/mariadb_connection.h"

namespace carrel::mariadb {

// A caller's word is held against what every answer of the server tells of its session.
Leaves MariadbConnection::left_behind() const noexcept {
  if (!left_.trusts_callers()) return left_.most();
  unsigned status = 0;
  mariadb_get_infov(link_.get(), MARIADB_CONNECTION_SERVER_STATUS, &status);
  const bool began = state_ == State::none && (status & SERVER_STATUS_IN_TRANS) != 0;
  const bool changed = (status & SERVER_STATUS_AUTOCOMMIT) == 0;
  return began || changed || has_strayed() ? Leaves::anything : left_.most();
}

// To another database than where it is known to be.
bool MariadbConnection::has_strayed() const noexcept {
  const auto* here = place_.known();
  if (here == nullptr) return false;
  const char* database = nullptr;
  mariadb_get_infov(link_.get(), MARIADB_CONNECTION_SCHEMA, &database);
  const auto& meant = here->schema.empty() ? options_->database : here->schema;
  return meant != (database == nullptr ? "" : database);
}

// Without the statements that were prepared being lost. False where the server cannot
// (before 10.5).
bool MariadbConnection::release_locks(Patience& patience) {
  const std::string open = state_ == State::open ? "rollback; " : "";
  if (link_.command(open + "do release_all_locks()", patience)) return false;
  state_ = State::none;
  return true;
}

bool MariadbConnection::reset() noexcept {
  if (broken()) return false;
  const auto left = left_behind();
  left_.clear();
  if (left == Leaves::nothing) {
    if (state_ != State::none) rollback();
    if (place_.away()) [[unlikely]]
      leave_place();
    return !broken();
  }
  const Busy busy(*this);
  Patience patience(upkeep_deadline());
  if (left == Leaves::locks && release_locks(patience)) {
    leave_place();
    return !broken();
  }
  if (broken()) return false;
  // Rolls back as well. What was prepared is gone with the rest.
  state_ = State::none;
  // COM_RESET_CONNECTION leaves the role as it is.
  const auto role = "set role " + (role_.empty() ? std::string("none") : quoted(role_));
  if (!link_.reset_session(patience) || !configure(patience, role)) link_.give_up();
  known_.clear();
  unkept_.reset();
  place_.came_home();
  known_.set_space(place_.space());
  return !broken();
}

bool MariadbConnection::validate() noexcept {
  const Busy busy(*this);
  if (broken()) return false;
  Patience patience(upkeep_deadline());
  if (!link_.ping(patience)) link_.give_up();
  return !broken();
}

}  // namespace carrel::mariadb
