// The part of MariadbConnection that sends what has to come before a statement: its place, and
// BEGIN.
//
// Both wait for the first statement. Where that can go as text, all are one text of several
// statements: one round trip, and the server runs nothing after the first that fails. The answer of
// a prepared statement that was sent right behind BEGIN would be lost instead: libmariadb takes
// BEGIN's for it, silently. So the opening is sent, and answered, before a prepared one.
#include <algorithm>
#include <string>
#include <utility>

#include "carrel/db/sql_error.h"
#include "drivers/mariadb/mariadb_connection.h"
#include "drivers/mariadb/mariadb_run.h"

namespace carrel::mariadb {

MariadbConnection::Commands MariadbConnection::begin_for(const BeginOptions& options) {
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

void MariadbConnection::do_set_place(const Place& place) {
  const auto same_letter = [](char a, char b) { return (a | 0x20) == b; };
  if (std::ranges::equal(place.role, std::string_view("none"), same_letter)) {
    throw SqlError("sql.invalid_place",
                   {.message = "no role can be called NONE, which means to have none"});
  }
  if (!place.schema.empty() && options_->database.empty()) {
    throw SqlError("sql.invalid_place",
                   {.message = "MariadbOptions::database has to name the database that the "
                               "connection comes back to"});
  }
  if (left_behind() == Leaves::anything) {
    place_.forget();
    known_.clear();  // prepared for whatever database USE had named by then
  }
  place_.want(place);
  known_.set_space(place_.space());
}

void MariadbConnection::leave_place() {
  place_.want_none();
  known_.set_space(place_.space());
}

// The role first: it may be what opens the database. An empty one is the session's first.
MariadbConnection::Commands MariadbConnection::place_commands() const {
  const auto& [role, schema] = place_.wanted();
  const auto& wanted_role = role.empty() ? role_ : role;
  const auto& wanted_schema = schema.empty() ? options_->database : schema;
  Commands made{"set role " + (wanted_role.empty() ? std::string("none") : quoted(wanted_role)), 1};
  if (!wanted_schema.empty()) {
    made.sql += "; use " + quoted(wanted_schema);
    ++made.count;
  }
  return made;
}

std::string MariadbConnection::opening(std::string_view statement) const {
  std::string text;
  const auto append = [&](std::string_view sql) {
    text.append(text.empty() || sql.empty() ? "" : "; ").append(sql);
  };
  if (place_.pending()) append(place_commands().sql);
  if (state_ == State::announced) append(begin_.sql);
  append(statement);
  return text;
}

void MariadbConnection::send_opening() {
  if (opens()) command(opening({}));
}

// `done`: how many commands of a text that began with an opening have succeeded.
void MariadbConnection::note_opened(std::size_t done) {
  if (place_.pending()) {
    const auto place = place_commands().count;
    place_.sent();
    if (done < place) return place_.undone();
    place_.kept();
    done -= place;
  }
  if (state_ != State::announced) return;
  if (done >= begin_.count) {
    state_ = State::open;
  } else if (done > 0) {
    left_.note_anything();  // the isolation was meant for this one, and now waits for the next
  }
}

// Nothing where the answer has to be asked for again, by a prepared statement.
std::optional<Result> MariadbConnection::run_with_opening(PreparedStatement& statement, Run& run,
                                                          std::string_view sql) {
  const auto replies = link_.ask(opening(sql), run.patience());
  note_opened(replies.done);
  if (replies.trouble)
    fail(*replies.trouble, opens() ? opening({}) : std::string(sql), statement.text, run);
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
  note_opened(replies.done);
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
  command(opening(sql));
}

}  // namespace carrel::mariadb
