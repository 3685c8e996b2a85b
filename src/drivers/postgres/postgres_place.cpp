// The part of PostgresConnection that runs statements where Connection::set_place says.
//
// SET ROLE and SET search_path go before BEGIN, in one pipeline with it: where one of them fails,
// the server skips the rest. They become part of the transaction nonetheless, so that ROLLBACK
// takes them back, and only COMMIT makes them known. Behind a pooler (no statements are kept then)
// the next transaction may find another session: they are SET LOCAL there, after BEGIN and anew in
// each transaction.
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/sql_error.h"
#include "drivers/postgres/postgres_connection.h"

namespace carrel::postgres {
namespace {

constexpr std::size_t kNameMax = 63;  // NAMEDATALEN - 1; the server would cut a longer one

std::string quoted(std::string_view name) {
  std::string made = "\"";
  for (const char c : name) made += c == '"' ? std::string("\"\"") : std::string(1, c);
  return made + "\"";
}

void require_name(std::string_view name, std::string_view reserved) {
  if (name.size() <= kNameMax && name != reserved) return;
  throw SqlError("sql.invalid_place",
                 {.message = "no role or schema can be called '" + std::string(name) + "'"});
}

}  // namespace

void PostgresConnection::do_set_place(const Place& place) {
  require_name(place.role, "none");  // which means the login's own, also in quotes
  require_name(place.schema, "$user");
  if (left_behind() == Leaves::anything) place_.forget();
  place_.want(place);
  known_.set_space(place_.space());
}

std::vector<std::string> PostgresConnection::place_commands() const {
  const auto& [role, schema] = place_.wanted();
  std::vector<std::string> commands;
  if (place_.lasts() == remote::PlaceRecord::Lasts::transaction) {
    if (!role.empty()) commands.push_back("set local role " + quoted(role));
    if (!schema.empty()) commands.push_back("set local search_path to " + quoted(schema));
  } else {
    commands.push_back(role.empty() ? "reset role" : "set role " + quoted(role));
    commands.push_back(schema.empty() ? "reset search_path"
                                      : "set search_path to " + quoted(schema));
  }
  return commands;
}

void PostgresConnection::queue_place(Plan& plan) {
  if (!place_.pending()) [[likely]]
    return;
  for (const auto& sql : place_commands()) {
    const auto step = pipeline_.add_command(sql);
    if (plan.place++ == 0) plan.first_of_place = step;
  }
  place_.sent();
}

// For what the server runs by itself only, and not behind something else: VACUUM, a procedure that
// commits, COMMIT PREPARED.
void PostgresConnection::send_place() {
  if (place_.lasts() == remote::PlaceRecord::Lasts::transaction) {
    throw SqlError("sql.unsupported",
                   {.message = "without kept statements, a role or schema holds for queries and "
                               "within transactions only"});
  }
  Plan made;
  made.autocommit = true;
  queue_place(made);
  const auto outcome = pipeline_.run(by_deadline(OnDeadline::cancel));
  broken_ |= !outcome.usable;
  settle_place(outcome.ending == Ending::complete && !outcome.failure);
  require_success(made, outcome);
}

// Whether what was sent holds: known once its transaction has ended.
void PostgresConnection::settle_place(bool committed) {
  if (!place_.unsettled() || in_transaction()) return;
  if (committed) {
    place_.kept();
  } else {
    place_.undone();
  }
}

void PostgresConnection::leave_place() {
  place_.want_none();
  known_.set_space(place_.space());
}

bool PostgresConnection::is_commit(const Outcome& outcome, std::size_t step) {
  const auto* answer = outcome.answers[step].get();
  return answer != nullptr &&
         std::string_view(PQcmdStatus(const_cast<PGresult*>(answer))) == "COMMIT";
}

bool PostgresConnection::has_committed(const Plan& plan, const Outcome& outcome) {
  if (outcome.ending != Ending::complete || outcome.failure) return false;
  return plan.commit == Outcome::kNone || is_commit(outcome, plan.commit);
}

// An invalid value of a parameter, which for SET ROLE is a role that there is not.
bool PostgresConnection::means_no_role(std::string_view sqlstate) noexcept {
  return sqlstate == "22023";
}

void PostgresConnection::throw_no_place(const Outcome& outcome) {
  const auto sqlstate = sqlstate_of(outcome.failure.get());
  if (!means_no_role(sqlstate)) throw_failure(outcome, "set role");
  throw SqlError("sql.no_role",
                 {.message = PQresultErrorField(outcome.failure.get(), PG_DIAG_MESSAGE_PRIMARY),
                  .sqlstate = std::string(sqlstate),
                  .statement = "set role",
                  .dialect = &kDialect});
}

}  // namespace carrel::postgres
