// What a PostgreSQL that commits with synchronous replicas must be asked before its word counts.
// Internal to the library.
#pragma once

#include "carrel/db/connection.h"

namespace carrel::db {

// Returns once the replicas, where a COMMIT waits for any, have all that this server has: what is
// found committed may be waiting for them still, or have been told to wait no longer. They are
// waited for by what writes, such as a message that nobody reads. Outside a transaction only.
inline void wait_for_replicas(Connection& connection) {
  connection.execute(
      "select case when current_setting('synchronous_standby_names') <> '' "
      "then pg_logical_emit_message(true, 'carrel', '') end");
}

}  // namespace carrel::db
