#include "drivers/failing_fetch.h"

#include <mysql.h>

#include "drivers/interposed.h"

namespace carrel::test {
namespace {

constinit thread_local FailingFetch::After t_left;

// One less to be given; true for the one after the last.
bool fails(std::optional<int>& left) {
  return left && (*left)-- == 0;
}

}  // namespace

FailingFetch::FailingFetch(After given) noexcept {
  t_left = given;
}
FailingFetch::~FailingFetch() {
  t_left = {};
}

}  // namespace carrel::test

// Taken instead of libmariadb's, since a program's own symbols come first.
extern "C" int mysql_stmt_fetch(MYSQL_STMT* statement) {
  static auto* const library = carrel::test::the_systems<decltype(mysql_stmt_fetch)>(__func__);
  return carrel::test::fails(carrel::test::t_left.rows) ? 1 : library(statement);
}

extern "C" int mysql_stmt_fetch_column(MYSQL_STMT* statement, MYSQL_BIND* bind, unsigned column,
                                       unsigned long offset) {
  static auto* const library =
      carrel::test::the_systems<decltype(mysql_stmt_fetch_column)>(__func__);
  if (carrel::test::fails(carrel::test::t_left.cells)) return 1;
  return library(statement, bind, column, offset);
}
