// The part of PostgresConnection that prepares transactions and finishes prepared ones.
#include <string>

#include "carrel/db/sql_error.h"
#include "drivers/postgres/postgres_connection.h"

namespace carrel::postgres {

void PostgresConnection::do_prepare(std::string_view name) {
  if (begin_ != nullptr) {
    begin_ = nullptr;
    throw SqlError("sql.transaction_lost",
                   {.message = "nothing was done in the transaction: there is nothing to prepare",
                    .statement = "prepare transaction"});
  }
  if (!in_transaction())
    throw SqlError("sql.transaction_lost", {.message = "there is no transaction to prepare"});
  // Its number is of no use to whoever asks what became of it: prepared is still in progress.
  number_.clear();
  const std::string sql = "prepare transaction '" + std::string(name) + "'";
  const auto outcome = pipeline_.command(sql.c_str(), by_deadline(OnDeadline::leave));
  broken_ |= !outcome.usable;
  settle_place(/*committed=*/false);  // where it was prepared, the session keeps it: sent once more
  if (outcome.ending == Ending::complete && sqlstate_of(outcome.failure.get()) == "55000") {
    throw SqlError("sql.unsupported", {.message = "this server keeps no prepared transactions: "
                                                  "its max_prepared_transactions is 0",
                                       .sqlstate = "55000",
                                       .statement = "prepare transaction"});
  }
  Plan made;
  made.commit = 0;
  require_success(made, outcome);
  const std::string_view tag = PQcmdStatus(outcome.answers[0].get());
  if (tag == "PREPARE TRANSACTION") return require_replicated(outcome);
  throw SqlError("sql.rolled_back",
                 {.message = "an earlier error had spoiled the transaction; it was rolled back",
                  .sqlstate = "25P02",
                  .statement = "prepare transaction"});
}

bool PostgresConnection::do_finish_prepared(std::string_view name, Prepared end) {
  const std::string sql = (end == Prepared::commit ? "commit prepared '" : "rollback prepared '") +
                          std::string(name) + "'";
  require_usable(sql);
  if (place_.pending()) send_place();
  number_.clear();  // of an earlier transaction, which must not be asked after
  const auto outcome = pipeline_.command(sql.c_str(), by_deadline(OnDeadline::leave));
  broken_ |= !outcome.usable;
  if (outcome.ending == Ending::complete && outcome.failure) {
    const auto sqlstate = sqlstate_of(outcome.failure.get());
    if (sqlstate == "42704") return false;
    if (sqlstate == "55000") {
      throw SqlError("sql.busy", {.message = "somebody else is finishing this transaction",
                                  .sqlstate = "55000",
                                  .statement = sql,
                                  .traits = {.retryable = true},
                                  .dialect = &kDialect});
    }
  }
  Plan made;
  made.commit = 0;
  require_success(made, outcome);
  require_replicated(outcome);
  return true;
}

}  // namespace carrel::postgres
