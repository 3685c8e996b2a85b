// What leads to a connection of libmariadb: resolving, connecting, TLS and logging in, all of it
// within the deadline.
#pragma once

#include <mysql.h>

#include <memory>

#include "carrel/base/clock.h"
#include "carrel/drivers/mariadb.h"

namespace carrel::mariadb {

struct CloseConnection {
  void operator()(MYSQL* connection) const noexcept { mysql_close(connection); }
};
using ConnectionPtr = std::unique_ptr<MYSQL, CloseConnection>;

// Throws as mariadb.h says.
[[nodiscard]] ConnectionPtr shake_hands(const MariadbOptions& options, Clock::Steady deadline);

}  // namespace carrel::mariadb
