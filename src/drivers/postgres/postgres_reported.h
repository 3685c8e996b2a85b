// Reported: what the server has told of a session, unasked, as it does whenever that changes.
// https://www.postgresql.org/docs/15/libpq-status.html#LIBPQ-PQPARAMETERSTATUS
#pragma once

#include <libpq-fe.h>

#include <string>

#include "carrel/db/connection.h"

namespace carrel::postgres {

struct Reported {
  std::string settings = {};  // that no place changes
  std::string superuser;      // "on" where the role is one
  std::string search_path;    // from PostgreSQL 18 on

  [[nodiscard]] static Reported by(PGconn* connection);

  // Whether it is what a session that `began` so tells `here`, in its place; null: that is unknown,
  // and will be set before anything else runs.
  [[nodiscard]] bool agrees_with(const Reported& began, const Place* here) const noexcept;
};

}  // namespace carrel::postgres
