#include "lab/statement_service.h"

#include <array>
#include <mutex>
#include <string_view>

#include "carrel/base/error.h"
#include "carrel/scope/boundary.h"
#include "carrel/session/session.h"

namespace carrel::lab {
namespace {

enum class Side { debit, credit };

constexpr std::string_view kOwner = "select owner from account where id = $1";
constexpr std::string_view kDebits =
    "select coalesce(sum(amount), 0) from entry where account = $1 and amount < 0";
constexpr std::string_view kCredits =
    "select coalesce(sum(amount), 0) from entry where account = $1 and amount > 0";

std::string_view sum_of(Side side) {
  return side == Side::debit ? kDebits : kCredits;
}

[[noreturn]] void throw_not_yours() {
  throw Error("lab.not_yours", "the account is somebody else's");
}

// The connection is a parameter of every function below the entry.
class PassingService final : public StatementService {
 public:
  explicit PassingService(Pool& pool) : pool_(pool) {}

  AccountStatement serve(const StatementRequest& request) override {
    const Pool::Lease connection = pool_.borrow({.access = Access::read_only});
    connection->begin({.access = Access::read_only});
    const AccountStatement statement = make_statement(*connection, request);
    connection->commit();
    return statement;
  }

  [[nodiscard]] Coupling coupling() const override {
    return coupling_of<Connection>(&PassingService::serve, &PassingService::make_statement,
                                   &PassingService::require_owner, &PassingService::owner_of,
                                   &PassingService::balance_of, &PassingService::sum_on);
  }

 private:
  static AccountStatement make_statement(Connection& connection, const StatementRequest& request) {
    return {require_owner(connection, request), balance_of(connection, request.account)};
  }
  static std::string require_owner(Connection& connection, const StatementRequest& request) {
    std::string owner = owner_of(connection, request.account);
    if (owner != request.caller) throw_not_yours();
    return owner;
  }
  static std::string owner_of(Connection& connection, std::int64_t account) {
    return connection.execute(kOwner, std::array{Value(account)}).one().get<std::string>(0);
  }
  static std::int64_t balance_of(Connection& connection, std::int64_t account) {
    return sum_on(connection, account, Side::credit) + sum_on(connection, account, Side::debit);
  }
  static std::int64_t sum_on(Connection& connection, std::int64_t account, Side side) {
    return connection.execute(sum_of(side), std::array{Value(account)}).one().get<std::int64_t>(0);
  }

  Pool& pool_;
};

// One connection that all functions know, and a lock around the whole request.
class LockingService final : public StatementService {
 public:
  explicit LockingService(Driver& driver) : connection_(driver.connect({})) {}

  AccountStatement serve(const StatementRequest& request) override {
    const std::lock_guard lock(mutex_);
    connection_->begin({.access = Access::read_only});
    const AccountStatement statement = make_statement(request);
    connection_->commit();
    return statement;
  }

  [[nodiscard]] Coupling coupling() const override {
    return coupling_of<Connection>(&LockingService::serve, &LockingService::make_statement,
                                   &LockingService::require_owner, &LockingService::owner_of,
                                   &LockingService::balance_of, &LockingService::sum_on);
  }

 private:
  AccountStatement make_statement(const StatementRequest& request) {
    return {require_owner(request), balance_of(request.account)};
  }
  std::string require_owner(const StatementRequest& request) {
    std::string owner = owner_of(request.account);
    if (owner != request.caller) throw_not_yours();
    return owner;
  }
  std::string owner_of(std::int64_t account) {
    return connection_->execute(kOwner, std::array{Value(account)}).one().get<std::string>(0);
  }
  std::int64_t balance_of(std::int64_t account) {
    return sum_on(account, Side::credit) + sum_on(account, Side::debit);
  }
  std::int64_t sum_on(std::int64_t account, Side side) {
    return connection_->execute(sum_of(side), std::array{Value(account)})
        .one()
        .get<std::int64_t>(0);
  }

  std::mutex mutex_;
  const std::unique_ptr<Connection> connection_;  // its use is guarded by mutex_
};

// The functions find the connection of the transaction that they run in.
class BoundService final : public StatementService {
 public:
  explicit BoundService(Pool& pool) : session_({.routes = {{.name = "accounts", .pool = &pool}}}) {}

  AccountStatement serve(const StatementRequest& request) override {
    return boundary_.run({.name = "GET /statement"}, [&] {
      return session_.transaction({.read_only = true}, [&] { return make_statement(request); });
    });
  }

  [[nodiscard]] Coupling coupling() const override {
    return coupling_of<Connection>(&BoundService::serve, &BoundService::make_statement,
                                   &BoundService::require_owner, &BoundService::owner_of,
                                   &BoundService::balance_of, &BoundService::sum_on);
  }

 private:
  AccountStatement make_statement(const StatementRequest& request) {
    return {require_owner(request), balance_of(request.account)};
  }
  std::string require_owner(const StatementRequest& request) {
    std::string owner = owner_of(request.account);
    if (owner != request.caller) throw_not_yours();
    return owner;
  }
  std::string owner_of(std::int64_t account) {
    return session_.execute(kOwner, account).one().get<std::string>(0);
  }
  std::int64_t balance_of(std::int64_t account) {
    return sum_on(account, Side::credit) + sum_on(account, Side::debit);
  }
  std::int64_t sum_on(std::int64_t account, Side side) {
    return session_.execute(sum_of(side), account).one().get<std::int64_t>(0);
  }

  Session session_;
  Boundary boundary_;
};

}  // namespace

void fill_accounts(Connection& connection) {
  connection.begin({});
  connection.execute("create table account (id integer primary key, owner text not null)", {});
  connection.execute("create table entry (account integer, amount integer)", {});
  connection.execute("create index entry_account on entry (account)", {});
  for (std::int64_t id = 0; id < kAccounts; ++id) {
    const std::string owner = "owner " + std::to_string(id);
    connection.execute("insert into account (id, owner) values ($1, $2)",
                       std::array{Value(id), Value(owner)});
    for (const std::int64_t amount : std::array<std::int64_t, 4>{100, -30, 5, -id})
      connection.execute("insert into entry (account, amount) values ($1, $2)",
                         std::array{Value(id), Value(amount)});
  }
  connection.commit();
}

std::unique_ptr<StatementService> service_that_passes(Pool& pool) {
  return std::make_unique<PassingService>(pool);
}

std::unique_ptr<StatementService> service_that_locks(Driver& driver) {
  return std::make_unique<LockingService>(driver);
}

std::unique_ptr<StatementService> service_that_binds(Pool& pool) {
  return std::make_unique<BoundService>(pool);
}

}  // namespace carrel::lab
