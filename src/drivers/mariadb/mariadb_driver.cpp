#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "carrel/drivers/mariadb.h"
#include "drivers/mariadb/mariadb_connection.h"

namespace carrel {
namespace mariadb {
namespace {

// One is the driver's own, for KILL. What the account may have holds where it is set.
constexpr std::string_view kConnectionsMax = R"(
  select least(@@max_connections,
               coalesce(nullif(@@max_user_connections, 0), @@max_connections)) - 1)";

class MariadbDriver final : public Driver {
 public:
  explicit MariadbDriver(MariadbOptions options)
      : options_(std::make_shared<const MariadbOptions>(std::move(options))),
        control_(std::make_shared<Control>(options_)) {}

  [[nodiscard]] const Traits& traits() const noexcept override { return traits_; }

  [[nodiscard]] std::unique_ptr<Connection> connect(const ConnectOptions& options) override {
    return std::make_unique<MariadbConnection>(options_, control_, options.deadline);
  }

  [[nodiscard]] std::optional<std::size_t> connections_max() override {
    MariadbConnection connection(options_, control_, kNoDeadline);
    connection.set_deadline(remote::at_most(kNoDeadline, options_->upkeep_max));
    const auto limit = connection.execute(kConnectionsMax).one().get<std::int64_t>(0);
    return static_cast<std::size_t>(std::max<std::int64_t>(limit, 0));
  }

 private:
  std::shared_ptr<const MariadbOptions> options_;
  std::shared_ptr<Control> control_;
  Traits traits_{.name = "mariadb", .remote = true, .dialect = kDialect, .places = true};
};

}  // namespace
}  // namespace mariadb

std::unique_ptr<Driver> mariadb_driver(MariadbOptions options) {
  // The library is started by its first user, and only one thread may be that.
  static const int started = mysql_server_init(0, nullptr, nullptr);
  static_cast<void>(started);
  return std::make_unique<mariadb::MariadbDriver>(std::move(options));
}

}  // namespace carrel
