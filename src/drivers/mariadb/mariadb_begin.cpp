// The part of MariadbConnection that begins transactions.
//
// BEGIN waits for the first statement. Where that can go as text, both are one text of two
// statements: one round trip, and the server runs nothing after a BEGIN that failed. The answer of
// a prepared statement that was sent right behind BEGIN would be lost instead: libmariadb takes
// BEGIN's for it, silently. So BEGIN is sent, and answered, before a prepared one.
#include <algorithm>
#include <string>

#include "carrel/db/sql_error.h"
#include "drivers/mariadb/mariadb_connection.h"
#include "drivers/mariadb/mariadb_run.h"

namespace carrel::mariadb {

MariadbConnection::Begin MariadbConnection::begin_for(const BeginOptions& options) {
  const std::string start = options.access == Access::read_only ? "start transaction read only"
                                                                : "start transaction read write";
  switch (options.isolation) {
    case Isolation::standard:
      break;
    case Isolation::read_committed:
      return {"set transaction isolation level read committed; " + start, 2};
    case Isolation::repeatable_read:
      return {"set transaction isolation level repeatable read; " + start, 2};
    case Isolation::serializable:
      return {"set transaction isolation level serializable; " + start, 2};
  }
  return {start, 1};
}

void MariadbConnection::do_begin(const BeginOptions& options) {
  begin_ = begin_for(options);
  state_ = State::announced;
}

void MariadbConnection::send_begin() {
  if (state_ == State::announced) command(begin_.sql);
}

// `done`: how many commands of a text that began with BEGIN's have succeeded.
void MariadbConnection::note_begun(std::size_t done) noexcept {
  if (state_ != State::announced) return;
  if (done >= begin_.commands) {
    state_ = State::open;
  } else if (done > 0) {
    left_.note_anything();  // the isolation was meant for this one, and now waits for the next
  }
}

// Nothing where the answer has to be asked for again, by a prepared statement.
std::optional<Result> MariadbConnection::run_with_begin(PreparedStatement& statement, Run& run,
                                                        std::string_view sql) {
  const auto replies = link_.ask(begin_.sql + "; " + std::string(sql), run.patience());
  note_begun(replies.done);
  if (replies.trouble) {
    const bool begun = state_ == State::open;
    fail(*replies.trouble, begun ? sql : std::string_view(begin_.sql), statement.text, run);
  }
  auto result = text_rows(replies);
  if (!result) {
    statement.as_text = false;
    return std::nullopt;
  }
  require_finished(statement, run, sql);
  return result;
}

// Our own, such as BEGIN and SAVEPOINT: changes nothing by itself.
void MariadbConnection::command(const std::string& sql) {
  Patience patience(deadline());
  const auto replies = link_.ask(sql, patience);
  note_begun(replies.done);
  if (!replies.trouble) return;
  if (patience.gone() || link_.lost()) {
    link_.give_up();
    throw_lost(*replies.trouble, sql, /*in_doubt=*/false, patience.gone());
  }
  throw error_of(*replies.trouble, sql);
}

void MariadbConnection::do_savepoint_command(std::string_view sql) {
  require_time(sql);
  require_unspoiled(sql);
  const bool begins = state_ == State::announced;
  command(begins ? begin_.sql + "; " + std::string(sql) : std::string(sql));
}

}  // namespace carrel::mariadb
