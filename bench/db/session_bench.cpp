// What finding the transaction, the route and the tables costs, over a database that costs nothing.
#include <benchmark/benchmark.h>

#include "bench/db/null_driver.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "session/router.h"

namespace carrel::bench {
namespace {

constexpr std::string_view kUpdate =
    "update {account} set balance = balance - $1, version = version + 1 where id = $2";

constexpr std::string_view kUnrouted =
    "update merchant_account set balance = balance - $1, version = version + 1 where id = $2";

// A marker as an application has it: one request-local.
class Fixture {
 public:
  Fixture()
      : pool_({.name = "bench", .size_max = 8, .maintain_every = std::chrono::milliseconds(0)},
              driver_),
        router_(routes(), marker(), 1'024),
        session_({.routes = routes(), .marker = marker()}),
        unrouted_({.routes = {{"only", &pool_, {}}}}) {}

  [[nodiscard]] const session::Router& router() const { return router_; }
  [[nodiscard]] Session& session() { return session_; }
  // The same without what routing asks of a statement: one route, and names of tables for slots.
  [[nodiscard]] Session& unrouted() { return unrouted_; }
  [[nodiscard]] Pool& pool() { return pool_; }
  [[nodiscard]] const RequestLocal<std::string_view>& book() const { return book_; }

 private:
  [[nodiscard]] std::vector<Route> routes() {
    return {{"consumer", &pool_, {{"account", "consumer_account"}}},
            {"merchant", &pool_, {{"account", "merchant_account"}}}};
  }
  [[nodiscard]] Marker marker() const {
    return [this]() -> std::optional<std::string_view> {
      const auto* book = book_.find();
      if (book == nullptr) return std::nullopt;
      return *book;
    };
  }

  NullDriver driver_{/*remote=*/false};
  RequestLocal<std::string_view> book_{"book"};
  Pool pool_;
  session::Router router_;
  Session session_;
  Session unrouted_;
};

void router_hit(benchmark::State& state) {
  Fixture fixture;
  const Scope scope({.name = "bench"});
  fixture.book().set("merchant");
  for (auto _ : state) benchmark::DoNotOptimize(&*fixture.router().resolve(kUpdate));
}

void statement_bound(benchmark::State& state) {
  Fixture fixture;
  const Scope scope({.name = "bench"});
  fixture.book().set("merchant");
  fixture.session().transaction([&] {
    for (auto _ : state) benchmark::DoNotOptimize(fixture.session().execute(kUpdate, 1, 2));
  });
}

void statement_unrouted(benchmark::State& state) {
  Fixture fixture;
  const Scope scope({.name = "bench"});
  fixture.book().set("merchant");
  fixture.unrouted().transaction([&] {
    for (auto _ : state) benchmark::DoNotOptimize(fixture.unrouted().execute(kUnrouted, 1, 2));
  });
}

void statement_by_hand(benchmark::State& state) {
  Fixture fixture;
  const auto lease = fixture.pool().borrow();
  const Statement update(kUnrouted, 1);
  for (auto _ : state) {
    const std::array<Value, 2> parameters{1, 2};
    benchmark::DoNotOptimize(lease->execute(update, parameters));
  }
}

void transaction_empty(benchmark::State& state) {
  Fixture fixture;
  const Scope scope({.name = "bench"});
  fixture.book().set("merchant");
  for (auto _ : state) fixture.session().transaction([] {});
}

void transaction_of_one(benchmark::State& state) {
  Fixture fixture;
  const Scope scope({.name = "bench"});
  fixture.book().set("merchant");
  for (auto _ : state)
    fixture.session().transaction([&] { fixture.session().execute(kUpdate, 1, 2); });
}

BENCHMARK(router_hit)->Name("Router_Hit");
BENCHMARK(statement_by_hand)->Name("Statement_ByHand");
BENCHMARK(statement_unrouted)->Name("Statement_Unrouted");
BENCHMARK(statement_bound)->Name("Statement_Bound");
BENCHMARK(transaction_empty)->Name("Transaction_Empty");
BENCHMARK(transaction_of_one)->Name("Transaction_OfOneStatement");

}  // namespace
}  // namespace carrel::bench
