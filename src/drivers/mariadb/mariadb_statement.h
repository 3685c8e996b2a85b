// Prepared statements of MariaDB: texts with $n made into texts with ?, values bound, rows fetched.
#pragma once

#include <mysql.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/db/result.h"
#include "carrel/db/value.h"
#include "drivers/mariadb/mariadb_link.h"
#include "drivers/remote/statement_text.h"

namespace carrel::mariadb {

// "update t set a = $2, b = $2 where id = $1" -> "update t set a = ?, b = ? where id = ?", {1,1,0}
struct Translated {
  std::string sql;
  std::vector<std::size_t> order;  // the value of each question mark
};
[[nodiscard]] Translated translate(std::string_view sql);

struct CloseStatement {
  void operator()(MYSQL_STMT* statement) const noexcept { mysql_stmt_close(statement); }
};
using StatementPtr = std::unique_ptr<MYSQL_STMT, CloseStatement>;

struct PreparedStatement {
  StatementPtr handle;  // none until it has been prepared
  remote::StatementText text;
  std::vector<std::size_t> order;
  bool as_text = false;  // may travel along with BEGIN: see may_go_as_text()
};

// A statement without parameters whose answer says the same in either of MariaDB's two protocols,
// or that can be asked for once more where it does not.
[[nodiscard]] bool may_go_as_text(std::string_view sql, const remote::StatementText& text);

// Values as libmariadb takes them; what they borrow must outlive the execution.
class Binding {
 public:
  Binding(std::span<const Value> values, std::span<const std::size_t> order);
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  // False where libmariadb refuses; the statement then knows why.
  [[nodiscard]] bool bind_to(MYSQL_STMT* statement);

 private:
  struct Slot {
    std::int64_t integer = 0;
    double real = 0;
    MYSQL_TIME time{};
    unsigned long length = 0;
  };
  void fill(MYSQL_BIND& bind, Slot& slot, const Value& value);

  std::vector<MYSQL_BIND> binds_;
  std::vector<Slot> slots_;
  std::vector<Uuid> uuids_;
};

// The rows of an executed statement whose result is in memory. Nothing where libmariadb does not
// give them all; the statement then knows why.
[[nodiscard]] std::optional<Result> fetch_rows(MYSQL_STMT* statement,
                                               const remote::StatementText& text);

// The same of a statement that went as text. Nothing where a column comes in fewer digits, or in
// another form, than from a prepared statement.
[[nodiscard]] std::optional<Result> text_rows(const Replies& replies);

// As a name in backticks.
[[nodiscard]] std::string quoted(std::string_view name);

[[nodiscard]] MYSQL_TIME time_of(Timestamp at) noexcept;

}  // namespace carrel::mariadb
