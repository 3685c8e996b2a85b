// StatementText: what the words of a statement tell a driver before any server has seen it.
//
// No parser: it errs on the careful side. A call of a function that is not known to be harmless
// counts as leaving something in the session, since it can hide set_config, a lock or LISTEN.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "carrel/db/connection.h"

namespace carrel::remote {

struct StatementText {
  std::string first_word;           // in lower case
  std::size_t parameters = 0;       // the highest $n
  Leaves shows = Leaves::anything;  // what it leaves, not counting functions that are not known
  bool hides = true;                // calls such a function, or a procedure
  bool is_query = false;            // select, insert and the like
  bool only_reads = false;          // so that running it twice does no harm
  bool controls_transaction = false;
  bool commits_implicitly = false;  // MariaDB: DDL and its like end the transaction
  bool drops_prepared = false;      // PostgreSQL: DEALLOCATE, DISCARD
};

// What running it may leave in the session, where the caller has said so much about what it hides.
[[nodiscard]] Leaves left_by(const StatementText& text, Leaves said) noexcept;

[[nodiscard]] StatementText read_statement(std::string_view sql, const SqlDialect& dialect);

}  // namespace carrel::remote
