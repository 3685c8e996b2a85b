// Mariadb as one of the databases that the contract of Connection is tested on.
#pragma once

#include <memory>
#include <string>

#include "db/connection_contract.h"
#include "drivers/mariadb_server.h"

namespace carrel::test {

class MariadbDatabase final : public Database {
 public:
  explicit MariadbDatabase(const MariadbOptions& options) : driver_(mariadb_driver(options)) {
    driver_->connect({})->execute("drop table if exists thing, kinds, other");
  }
  [[nodiscard]] Driver& driver() override { return *driver_; }

 private:
  std::unique_ptr<Driver> driver_;
};

// `options` is called for each test.
inline Backend mariadb_backend(MariadbOptions (*options)()) {
  return {
      .make = [options] { return std::make_unique<MariadbDatabase>(options()); },
      .integer_type = "bigint",
      .real_type = "double",
      .text_type = "varchar(200)",
      .bytes_type = "blob",
      .timestamp_type = "datetime(6)",
      .uuid_type = "uuid",
      .endless_query =
          "select count(*) from seq_1_to_1000000 a, seq_1_to_1000000 b where "
          "a.seq * b.seq < 0",
      .dirt = {{"set @mine = 1", "select @mine is not null"},
               {"set session sort_buffer_size = 1048576", "select @@sort_buffer_size = 1048576"},
               {"select get_lock('mine', 0)", "select is_used_lock('mine') is not null"}},
  };
}

}  // namespace carrel::test
