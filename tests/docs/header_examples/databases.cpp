// Examples of the headers in db/, drivers/ and session/, and of error.h, word for word.
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carrel/base/error.h"
#include "carrel/db/connection.h"
#include "carrel/db/pool.h"
#include "carrel/db/pool_group.h"
#include "carrel/db/result.h"
#include "carrel/db/sql_error.h"
#include "carrel/db/value.h"
#include "carrel/drivers/mariadb.h"
#include "carrel/drivers/postgres.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/request_local.h"
#include "carrel/session/session.h"
#include "carrel/session/transaction.h"

namespace header_examples {

using namespace carrel;
using namespace std::chrono_literals;

struct Voucher {
  std::string key;
};
struct Book {
  [[nodiscard]] std::optional<std::string_view> name() const;
};
enum class Answer { posted, exists, later };

void post(const Voucher& voucher);
Answer look_up_outcome(std::string_view key);
Answer try_again_later();
Answer already_exists();
void print(std::int64_t id, const std::optional<std::string>& memo);
void withdraw(Session& session, int amount);
void deposit(Session& session, int amount);

void leaves(Session& session, std::int64_t id) {
  session.execute({"select post_voucher($1)", Leaves::nothing}, id);
}

Answer error(Session& session, const Voucher& voucher) {
  try {
    session.transaction([&] { post(voucher); });
  } catch (const carrel::Error& error) {
    if (error.in_doubt()) return look_up_outcome(voucher.key);
    if (error.retryable()) return try_again_later();
    throw;
  }
  return Answer::posted;
}

Answer sql_error(Session& session, const Voucher& voucher) {
  try {
    session.transaction([&] { post(voucher); });
  } catch (const carrel::SqlError& error) {
    if (error.code() == "sql.unique_violation") return already_exists();
    throw;
  }
  return Answer::posted;
}

void connection() {
  auto driver = sqlite_driver({.file = "data/consumer.db"});
  auto connection = driver->connect({});
  connection->begin({});
  connection->execute("insert into t values ($1)", std::array{Value(7)});
  connection->commit();
}

void value(Connection& connection) {
  Value amount = 1250;
  Value memo = std::optional<std::string>();
  connection.execute("insert into t values ($1, $2)", std::array{amount, memo});
}

void array(Session& session, const std::vector<std::int64_t>& ids,
           const std::vector<std::string>& names) {
  session.execute("select id, balance from {account} where id = any($1)", Array(ids));
  session.execute(
      "insert into {account} (id, name) select * from unnest($1, $2) "
      "on conflict (id) do update set name = excluded.name",
      Array(ids), Array(names));
}

std::int64_t result(Session& session, std::int64_t id) {
  Result result = session.execute("select id, balance, memo from {account}");
  for (Row row : result) print(row.get<std::int64_t>("id"), row.get<std::optional<std::string>>(2));
  auto balance =
      session.execute("select balance from {account} where id = $1", id).one().get<std::int64_t>(0);
  struct Account {
    std::int64_t id;
    std::string owner;
  };
  auto accounts = session.execute("select id, owner from {account}").to<Account>();
  return balance + accounts.front().id;
}

void pool_by_hand(Driver* driver) {
  Pool pool({.name = "consumer"}, *driver);
  {
    Pool::Lease connection = pool.borrow();
    connection->execute("delete from job where done");
  }
}

void pool_group(Driver& acme_driver, Driver& bolt_driver) {
  PoolGroup group({.connections_max = 50});
  Pool acme({.name = "acme", .size_max = 4, .group = &group}, acme_driver);
  Pool bolt({.name = "bolt", .size_max = 4, .group = &group}, bolt_driver);
}

void sqlite() {
  auto driver = sqlite_driver({.file = "data/consumer.db"});
  Pool pool({.name = "consumer"}, *driver);
}

void postgres(const std::string& secret) {
  auto driver = postgres_driver({.host = "db.internal",
                                 .database = "books",
                                 .user = "carrel",
                                 .password = secret,
                                 .tls = PostgresTls::verify_full});
  Pool pool({.name = "books"}, *driver);
}

void mariadb(const std::string& secret) {
  auto driver = mariadb_driver({.host = "db.internal",
                                .database = "books",
                                .user = "carrel",
                                .password = secret,
                                .tls = MariadbTls::verify_full});
  Pool pool({.name = "books"}, *driver);
}

void session_with_a_marker(Pool& pool, const Book& book, int amount, std::int64_t from,
                           std::int64_t to) {
  Session session({.routes = {{"consumer", &pool, {{"account", "consumer_account"}}}},
                   .marker = [&] { return book.name(); }});
  session.transaction([&] {
    session.execute("update {account} set balance = balance - $1 where id = $2", amount, from);
    session.execute("update {account} set balance = balance + $1 where id = $2", amount, to);
  });
}

void transaction_options(Session& session, const Voucher& voucher) {
  const TransactionOptions options{
      .isolation = Isolation::serializable, .deadline = 2s, .retry = Retry::conflicts(3)};
  session.transaction(options, [&] { post(voucher); });
}

void session_with_shards(Pool& pool_a, Pool& pool_b) {
  const RequestLocal<ShardKey> customer{"customer"};
  Session session({.routes = {{.name = "a", .pool = &pool_a}, {.name = "b", .pool = &pool_b}},
                   .shards = Shards{.buckets = 1'024,
                                    .ranges = {{0, 511, "a"}, {512, 1'023, "b"}},
                                    .key = [&] { return customer.find(); }}});
  customer.set(ShardKey("alice"));
}

// On the pages about routes.
std::vector<Route> routes_of_one_pool(Pool& shared, const std::vector<std::string>& names) {
  std::vector<Route> routes;
  for (const auto& name : names) {
    routes.push_back(
        {.name = name, .pool = &shared, .place = {.role = "tenant_" + name, .schema = name}});
  }
  return routes;
}

void together(Session& session, const RequestLocal<ShardKey>& customer, const ShardKey& from,
              const ShardKey& to, int amount) {
  session.together(
      {.retry = Retry::conflicts(5)},
      [&] {
        const auto bound = customer.bind(from);
        withdraw(session, amount);
      },
      [&] {
        const auto bound = customer.bind(to);
        deposit(session, amount);
      });
}

}  // namespace header_examples
