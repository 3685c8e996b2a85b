// What it costs that a tenant's transaction runs in its role and schema: where the connection is
// there already, and where another tenant had it last.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <optional>
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
constexpr std::string_view kUpdate = "update account set balance = balance + $1 where id = $2";

// A role and a schema for each of two tenants, anew; the house has its table where sessions start.
PostgresOptions made() {
  auto options = postgres_options();
  options.parameters["options"] = "-c client_min_messages=warning -c search_path=bench_house";
  const auto connection = postgres_driver(options)->connect({});
  for (const std::string name : {"bench_house", "bench_a", "bench_b"}) {
    connection->execute("drop schema if exists " + name + " cascade");
    connection->execute("drop role if exists " + name);
    connection->execute("create role " + name);
    connection->execute("create schema " + name);
    connection->execute("create table " + name +
                        ".account (id bigint primary key, balance bigint not null)");
    connection->execute("insert into " + name + ".account values (1, 0)");
    connection->execute("grant usage on schema " + name + " to " + name);
    connection->execute("grant all on " + name + ".account to " + name);
  }
  return options;
}

class Tenants {
 public:
  // By itself, so that callgrind counts its calls.
  [[gnu::noinline]] void update_as(std::string_view tenant) {
    const Scope scope({.name = "POST /orders"});
    const auto bound = tenant_.bind(tenant);
    session_.transaction([&] { session_.execute(kUpdate, 1, 1); });
  }
  [[nodiscard]] std::uint64_t round_trips() { return pool_.borrow()->round_trips(); }

 private:
  [[nodiscard]] std::optional<std::string_view> tenant() const {
    const auto* tenant = tenant_.find();
    if (tenant == nullptr) return std::nullopt;
    return *tenant;
  }

  const RequestLocal<std::string_view> tenant_{"tenant"};
  const std::unique_ptr<Driver> driver_ = postgres_driver(made());
  Pool pool_{{.name = "tenants", .size_max = 1}, *driver_};
  Session session_{
      {.routes = {{.name = "house", .pool = &pool_},
                  {.name = "a", .pool = &pool_, .place = {.role = "bench_a", .schema = "bench_a"}},
                  {.name = "b", .pool = &pool_, .place = {.role = "bench_b", .schema = "bench_b"}}},
       .marker = [this] { return tenant(); }}};
};

void in_turn(benchmark::State& state, std::string_view first, std::string_view second) {
  Tenants tenants;
  std::array turns = {first, second};
  for (int i = 0; i < 2; ++i) {  // prepares
    for (const auto tenant : turns) tenants.update_as(tenant);
  }
  const auto before = tenants.round_trips();
  for (auto _ : state) {
    tenants.update_as(turns[0]);
    std::swap(turns[0], turns[1]);
  }
  state.counters["round_trips"] = benchmark::Counter(
      static_cast<double>(tenants.round_trips() - before), benchmark::Counter::kAvgIterations);
}

}  // namespace

void register_tenants() {
  struct Case {
    const char* name;
    std::string_view first;
    std::string_view second;
  };
  for (const auto& [name, first, second] :
       {Case{"Tenant_WithoutAPlace", "house", "house"}, Case{"Tenant_ThereAlready", "a", "a"},
        Case{"Tenant_AfterAnother", "a", "b"}}) {
    benchmark::RegisterBenchmark(name,
                                 [first = first, second = second](benchmark::State& state) {
                                   in_turn(state, first, second);
                                 })
        ->MinTime(kSecondsMin)
        ->UseRealTime();
  }
}

}  // namespace carrel::bench
