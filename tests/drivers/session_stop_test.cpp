// A stop, and the deadline of a call inside, while a statement runs on a real server.
#include <array>
#include <memory>
#include <string>
#include <utility>

#include "drivers/mariadb_server.h"
#include "drivers/postgres_server.h"
#include "drivers/servers.h"
#include "session/stop_contract.h"

namespace carrel::test {
namespace {

// `busy` says whether a statement that contains $1 is run by somebody.
class EndlessOnServer final : public EndlessDatabase {
 public:
  EndlessOnServer(std::unique_ptr<Driver> driver, std::string sleep, std::string busy)
      : driver_(std::move(driver)),
        observer_(driver_->connect({})),
        // Whose it is shows in it: the servers are shared.
        insert_("insert into " + own_name() + ".item " + std::move(sleep)),
        busy_(std::move(busy)) {}

  [[nodiscard]] Driver& driver() override { return *driver_; }
  [[nodiscard]] std::string endless_insert() const override { return insert_; }
  [[nodiscard]] std::function<bool()> watch() override {
    return [this] { return !observer_->execute(busy_, std::array{Value(insert_)}).empty(); };
  }

 private:
  std::unique_ptr<Driver> driver_;
  std::unique_ptr<Connection> observer_;
  std::string insert_;
  std::string busy_;
};

const EndlessBackend kPostgres{
    .name = "Postgres", .make = [] {
      return std::make_unique<EndlessOnServer>(
          postgres_driver(postgres_options()), "select 100 from pg_sleep(600)",
          "select 1 from pg_stat_activity where query = $1 and wait_event = 'PgSleep'");
    }};
const EndlessBackend kMariadb{
    .name = "Mariadb", .make = [] {
      return std::make_unique<EndlessOnServer>(
          mariadb_driver(mariadb_options()), "select 100 from dual where sleep(600) = 0",
          "select 1 from information_schema.processlist where info = $1 and state = 'User sleep'");
    }};

INSTANTIATE_TEST_SUITE_P(Servers, RunningStatement, testing::Values(&kPostgres, &kMariadb),
                         name_of_endless);

}  // namespace
}  // namespace carrel::test
