#include "db/connection_contract.h"
#include "drivers/mariadb_server.h"

namespace carrel::test {
namespace {

class MariadbDatabase final : public Database {
 public:
  MariadbDatabase() : driver_(mariadb_driver(mariadb_options())) {
    driver_->connect({})->execute("drop table if exists thing, kinds, other");
  }
  [[nodiscard]] Driver& driver() override { return *driver_; }

 private:
  std::unique_ptr<Driver> driver_;
};

const Backend kMariadb{
    .make = [] { return std::make_unique<MariadbDatabase>(); },
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

INSTANTIATE_TEST_SUITE_P(Mariadb, ConnectionContract, testing::Values(&kMariadb),
                         [](const auto&) { return std::string("Mariadb"); });

}  // namespace
}  // namespace carrel::test
