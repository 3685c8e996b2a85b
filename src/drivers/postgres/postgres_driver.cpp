#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "carrel/drivers/postgres.h"
#include "drivers/postgres/postgres_connection.h"
#include "drivers/postgres/postgres_error.h"

namespace carrel {
namespace postgres {
namespace {

// The least of what the server, the database and the role allow; superusers' reserve left out.
constexpr std::string_view kConnectionsMax = R"(
  select least(
    current_setting('max_connections')::int
      - current_setting('superuser_reserved_connections')::int
      - coalesce(current_setting('reserved_connections', true)::int, 0),
    (select nullif(datconnlimit, -1) from pg_database where datname = current_database()),
    (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user)))";

class PostgresDriver final : public Driver {
 public:
  explicit PostgresDriver(PostgresOptions options)
      : options_(std::make_shared<const PostgresOptions>(std::move(options))) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }

  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override {
    auto connection = std::make_unique<PostgresConnection>(options_, askers_, options.deadline);
    connection->set_deadline(kNoDeadline);
    return connection;
  }

  [[nodiscard]] std::optional<std::size_t> connections_max() override {
    PostgresConnection connection(options_, askers_,
                                  remote::at_most(kNoDeadline, options_->connect_max));
    const auto limit = connection.execute(kConnectionsMax).one().get<std::int64_t>(0);
    return static_cast<std::size_t>(std::max<std::int64_t>(limit, 0));
  }

 private:
  std::shared_ptr<const PostgresOptions> options_;
  std::shared_ptr<Askers> askers_ = std::make_shared<Askers>();  // connections may outlive us
  Traits traits_{.name = "postgres", .remote = true, .dialect = kDialect, .places = true};
};

}  // namespace
}  // namespace postgres

std::unique_ptr<Driver> postgres_driver(PostgresOptions options) {
  return std::make_unique<postgres::PostgresDriver>(std::move(options));
}

}  // namespace carrel
