// Many rows into one table of PostgreSQL, in one transaction: statement for statement in a batch,
// by one statement with arrays, and by COPY.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/db/postgres_bench.h"
#include "bench/db/postgres_server.h"
#include "bench/db/voucher.h"
#include "carrel/db/pool.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace carrel::bench {
namespace {

constexpr double kSecondsMin = 0.3;

class Inserter {
 public:
  explicit Inserter(std::size_t rows) : ids_(rows), memos_(rows, kMemo) {
    std::iota(ids_.begin(), ids_.end(), 1);
  }

  void next_rows() {
    for (auto& id : ids_) id += static_cast<std::int64_t>(ids_.size());
  }
  void as_batch() {
    const Scope scope({.name = "POST /vouchers"});
    Batch batch;
    for (std::size_t i = 0; i < ids_.size(); ++i)
      batch.add("insert into {voucher} (id, memo) values ($1, $2)", ids_[i], memos_[i]);
    session_.batch(batch);
  }
  void by_arrays() {
    const Scope scope({.name = "POST /vouchers"});
    session_.execute("insert into {voucher} (id, memo) select * from unnest($1, $2)", Array(ids_),
                     Array(memos_));
  }
  void by_load() {
    const Scope scope({.name = "POST /vouchers"});
    std::vector<Value> values;
    values.reserve(2 * ids_.size());
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      values.emplace_back(ids_[i]);
      values.emplace_back(memos_[i]);
    }
    constexpr std::array<std::string_view, 2> columns{"id", "memo"};
    session_.load("voucher", columns, values);
  }

 private:
  std::vector<std::int64_t> ids_;
  std::vector<std::string_view> memos_;
  std::unique_ptr<Driver> driver_ = postgres_driver(postgres_options());
  Pool pool_{{.name = "bench", .size_max = 1}, *driver_};
  Session session_{{.routes = {{"all", &pool_, {{"voucher", "bench.voucher"}}}}}};
};

void insert(benchmark::State& state, void (Inserter::*way)()) {
  make_voucher_tables();
  const auto rows = static_cast<std::size_t>(state.range(0));
  Inserter inserter(rows);
  (inserter.*way)();  // connects, and prepares
  for (auto _ : state) {
    inserter.next_rows();
    (inserter.*way)();
  }
  // Time a row, in nanoseconds.
  state.counters["row_ns"] = benchmark::Counter(
      static_cast<double>(rows) * 1e-9,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

}  // namespace

void register_many_rows() {
  for (const auto& [name, way] : {std::pair{"ManyRows_Batch", &Inserter::as_batch},
                                  std::pair{"ManyRows_Arrays", &Inserter::by_arrays},
                                  std::pair{"ManyRows_Load", &Inserter::by_load}}) {
    benchmark::RegisterBenchmark(name, [way = way](benchmark::State& state) { insert(state, way); })
        ->Arg(500)
        ->Arg(10'000)
        ->MinTime(kSecondsMin)
        ->UseRealTime();
  }
}

}  // namespace carrel::bench
