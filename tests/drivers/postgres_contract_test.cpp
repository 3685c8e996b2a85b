#include "db/connection_contract.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

class PostgresDatabase final : public Database {
 public:
  PostgresDatabase() : driver_(postgres_driver(postgres_options())) {
    driver_->connect({})->execute("drop table if exists thing, kinds, other");
  }
  [[nodiscard]] Driver& driver() override { return *driver_; }

 private:
  std::unique_ptr<Driver> driver_;
};

const Backend kPostgres{
    .make = [] { return std::make_unique<PostgresDatabase>(); },
    .integer_type = "bigint",
    .real_type = "double precision",
    .text_type = "text",
    .bytes_type = "bytea",
    .timestamp_type = "timestamptz",
    .uuid_type = "uuid",
    .endless_query = "select pg_sleep(600)",
    .dirt = {{"create temp table mine (id integer)",
              "select count(*)::int from pg_class where relname = 'mine'"},
             {"set work_mem = '7MB'", "select (current_setting('work_mem') = '7MB')::int"},
             {"select pg_advisory_lock(7)",
              "select count(*)::int from pg_locks where locktype = 'advisory' and "
              "pid = pg_backend_pid()"}},
};

INSTANTIATE_TEST_SUITE_P(Postgres, ConnectionContract, testing::Values(&kPostgres),
                         [](const auto&) { return std::string("Postgres"); });

}  // namespace
}  // namespace carrel::test
