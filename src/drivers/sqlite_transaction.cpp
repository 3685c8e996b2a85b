// Begin, commit and rollback, and what a borrower left open.
#include "drivers/sqlite_connection.h"
#include "drivers/sqlite_error.h"

namespace carrel::drivers {

void SqliteConnection::set_query_only(bool on) {
  command(on ? "pragma query_only = on" : "pragma query_only = off");
  query_only_ = on;
}

void SqliteConnection::do_begin(const BeginOptions& options) {
  // Every level of isolation is served by the strictest: SQLite has only serializable.
  if (options.access == Access::read_write) {
    command("begin immediate");
    return;
  }
  if (access_ == Access::read_write) set_query_only(true);
  command("begin deferred");
}

void SqliteConnection::do_commit() {
  const int result = try_command("commit");
  if (result == SQLITE_OK) {
    if (query_only_) set_query_only(false);
    return;
  }
  // Written frames may or may not have reached the disk: recovery decides.
  const bool in_doubt = (result & 0xff) == SQLITE_IOERR;
  try {
    if (in_doubt) throw_sqlite_commit_in_doubt(db_.get(), result, "commit");
    throw_error(result, "commit");
  } catch (const SqlError&) {
    do_rollback();  // a failed COMMIT may leave the transaction open
    throw;
  }
}

void SqliteConnection::do_rollback() noexcept {
  // Errors such as a full disk may have rolled back already.
  if (in_transaction() && try_command("rollback") != SQLITE_OK && in_transaction()) broken_ = true;
  if (query_only_) {
    if (try_command("pragma query_only = off") != SQLITE_OK) broken_ = true;
    query_only_ = false;
  }
}

void SqliteConnection::do_savepoint_command(std::string_view sql) {
  command(std::string(sql));
}

bool SqliteConnection::reset() noexcept {
  if (in_transaction() || query_only_) rollback();
  return !broken_ && !dirty_;
}

}  // namespace carrel::drivers
