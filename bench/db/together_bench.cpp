// What all or none over two databases costs, against a transaction on each.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "bench/db/postgres_bench.h"
#include "bench/db/postgres_server.h"
#include "carrel/db/pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace carrel::bench {
namespace {

constexpr double kSecondsMin = 0.3;
constexpr std::int64_t kAccounts = 10'000;
constexpr std::string_view kUpdate = "update {account} set balance = balance + $1 where id = $2";

void run(PGconn* connection, const std::string& sql) {
  PGresult* result = PQexec(connection, sql.c_str());
  const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
  PQclear(result);
  if (!good) throw std::runtime_error(PQerrorMessage(connection));
}

// A database of its own, anew, with accounts and the log of two-phase commit.
PostgresOptions made(const std::string& name) {
  const auto server = connect_by_hand();
  PQsetNoticeProcessor(server.get(), [](void*, const char*) {}, nullptr);
  run(server.get(), "drop database if exists " + name + " with (force)");
  run(server.get(), "create database " + name);
  auto options = postgres_options();
  options.database = name;
  const auto connection = postgres_driver(options)->connect({});
  connection->execute("create table carrel_decision (name text primary key)");
  connection->execute("create table account (id bigint primary key, balance bigint not null)");
  connection->execute("insert into account select i, 0 from generate_series(1, $1::bigint) i",
                      std::array{Value(kAccounts)});
  return options;
}

class TwoDatabases {
 public:
  void one_transaction() {
    const Scope scope({.name = "POST /transfers"});
    session_.together({}, [&] { change("left", -1); }, [&] { change("right", 1); });
  }
  void a_transaction_each() {
    const Scope scope({.name = "POST /transfers"});
    session_.transaction([&] { change("left", -1); });
    session_.transaction([&] { change("right", 1); });
  }

 private:
  void change(std::string_view side, std::int64_t amount) {
    const auto bound = side_.bind(side);
    session_.execute(kUpdate, amount, accounts_(random_));
  }
  [[nodiscard]] std::optional<std::string_view> side() const {
    const auto* side = side_.find();
    if (side == nullptr) return std::nullopt;
    return *side;
  }

  std::unique_ptr<Driver> left_driver_ = postgres_driver(made("bench_left"));
  std::unique_ptr<Driver> right_driver_ = postgres_driver(made("bench_right"));
  Pool left_{{.name = "left", .size_max = 2}, *left_driver_};
  Pool right_{{.name = "right", .size_max = 2}, *right_driver_};
  RequestLocal<std::string_view> side_{"side"};
  Session session_{{.routes = {{"left", &left_, {{"account", "account"}}},
                               {"right", &right_, {{"account", "account"}}}},
                    .marker = [this] { return side(); },
                    .two_phase = TwoPhase{}}};
  std::mt19937_64 random_{std::random_device()()};
  std::uniform_int_distribution<std::int64_t> accounts_{1, kAccounts};
};

void together(benchmark::State& state) {
  TwoDatabases databases;
  for (auto _ : state) databases.one_transaction();
}

void apart(benchmark::State& state) {
  TwoDatabases databases;
  for (auto _ : state) databases.a_transaction_each();
}

}  // namespace

void register_together() {
  for (const auto& [name, run] :
       {std::pair{"Together_TwoPhase", &together}, std::pair{"Together_Apart", &apart}})
    benchmark::RegisterBenchmark(name, run)->MinTime(kSecondsMin)->UseRealTime();
}

}  // namespace carrel::bench
