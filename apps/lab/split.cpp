#include "lab/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "carrel/base/error.h"
#include "carrel/db/pool.h"
#include "carrel/scope/boundary.h"
#include "carrel/session/session.h"
#include "lab/database.h"
#include "lab/plain_connections.h"
#include "lab/plain_pool.h"
#include "lab/random_draws.h"

namespace carrel::lab {
namespace {

constexpr std::size_t kStretches = 20;  // points of the chart
constexpr int kConnectionsOfNoTransaction = 3;
constexpr std::string_view kCreateTable = "create table entry (transfer integer, amount integer)";
constexpr std::string_view kInsertEntry = "insert into entry (transfer, amount) values ($1, $2)";

std::string_view describe(Borrowing borrowing) {
  return borrowing == Borrowing::each_call_borrows ? "each call borrows" : "one transaction";
}

enum class Refusal { none, before_the_second_row, after_it };

struct Transfer {
  std::int64_t number;
  std::int64_t amount;
  Refusal refusal;
};

// The n-th transfer of a seed is always the same.
Transfer make_transfer(std::int64_t number, std::uint64_t seed, double refused_share) {
  RandomDraws draw(seed, number);
  Transfer transfer{number, 1 + static_cast<std::int64_t>(draw.share() * 100), Refusal::none};
  const double chance = draw.share();
  if (chance < refused_share)
    transfer.refusal =
        chance < refused_share / 2 ? Refusal::before_the_second_row : Refusal::after_it;
  return transfer;
}

// Threads: any; the maximum only grows.
void raise_to(std::atomic<std::int64_t>& maximum, std::int64_t value) {
  auto seen = maximum.load();
  while (seen < value && !maximum.compare_exchange_weak(seen, value)) {
  }
}

class Bank {
 public:
  Bank() = default;
  Bank(const Bank&) = delete;
  Bank& operator=(const Bank&) = delete;
  virtual ~Bank() = default;

  virtual void run(const Transfer& transfer) = 0;
  // The most that one transfer has met.
  [[nodiscard]] virtual std::int64_t connections_a_transfer() const = 0;
};

// begin(), execute(), commit() and rollback() of a data access layer that borrows in each of them.
class SplitBank final : public Bank {
 public:
  SplitBank(const Database& database, std::size_t connections)
      : driver_(database.several_writers()), connections_(*driver_, connections) {}

  void run(const Transfer& transfer) override {
    std::set<const Connection*> met;
    const auto call = [&](auto&& what) {
      const auto connection = connections_.borrow();
      met.insert(&*connection);
      what(*connection);
    };
    const auto insert = [&](std::int64_t amount) {
      call([&](Connection& connection) {
        connection.execute(kInsertEntry, std::array{Value(transfer.number), Value(amount)});
      });
    };
    call([](Connection& connection) { connection.begin({}); });
    insert(-transfer.amount);
    if (transfer.refusal != Refusal::before_the_second_row) insert(transfer.amount);
    call([&](Connection& connection) {
      if (transfer.refusal != Refusal::none) return connection.rollback();
      if (connection.in_transaction())
        connection.commit();  // as JDBC's: nothing open, nothing said
    });
    raise_to(connections_met_, static_cast<std::int64_t>(met.size()));
  }

  [[nodiscard]] std::int64_t connections_a_transfer() const override { return connections_met_; }

 private:
  std::unique_ptr<Driver> driver_;
  PlainConnections connections_;
  std::atomic<std::int64_t> connections_met_{0};
};

// What a service returns that may say no.
struct Answer {
  bool refused;
};
bool rolls_back(const Answer& answer) {
  return answer.refused;
}

class BoundBank final : public Bank {
 public:
  explicit BoundBank(const Database& database)
      : driver_(database.driver()),
        pool_({.name = "bank"}, *driver_),
        session_({.routes = {{.name = "bank", .pool = &pool_}}}) {}

  void run(const Transfer& transfer) override {
    boundary_.run({.name = "POST /transfers"}, [&] {
      static_cast<void>(session_.transaction([&]() -> Answer {
        insert(transfer.number, -transfer.amount);
        if (transfer.refusal == Refusal::before_the_second_row) return {.refused = true};
        insert(transfer.number, transfer.amount);
        return {.refused = transfer.refusal != Refusal::none};
      }));
    });
    ++transfers_;
  }

  // As the pool has counted its loans: all transfers together, shared out evenly and rounded up.
  [[nodiscard]] std::int64_t connections_a_transfer() const override {
    const auto loans = static_cast<std::int64_t>(pool_.stats().borrowed);
    return (loans + transfers_ - 1) / std::max<std::int64_t>(transfers_, 1);
  }

 private:
  void insert(std::int64_t transfer, std::int64_t amount) {
    session_.execute(kInsertEntry, transfer, amount);
  }

  std::unique_ptr<Driver> driver_;
  Pool pool_;
  Session session_;
  Boundary boundary_;
  std::atomic<std::int64_t> transfers_{0};
};

// What the table says, against what each transfer should have left.
struct Books {
  std::int64_t left_behind = 0;  // rows of transfers that were rolled back
  std::int64_t missing = 0;      // rows of transfers that were committed
  std::int64_t sum = 0;          // money made of nothing, or lost
};

Books audit(Connection& database, std::int64_t transfers, std::uint64_t seed, double refused) {
  Books books = {};
  std::vector<std::int64_t> rows(static_cast<std::size_t>(transfers));
  for (const Row row : database.execute(
           "select transfer, count(*), sum(amount) from entry group by transfer", {})) {
    rows[row.get<std::size_t>(0)] = row.get<std::int64_t>(1);
    books.sum += row.get<std::int64_t>(2);
  }
  for (std::int64_t number = 0; number < transfers; ++number) {
    const std::int64_t found = rows[static_cast<std::size_t>(number)];
    if (make_transfer(number, seed, refused).refusal == Refusal::none)
      books.missing += 2 - found;
    else
      books.left_behind += found;
  }
  return books;
}

struct Trial {
  Borrowing borrowing;
  std::int64_t transfers = 0;
  std::int64_t refused = 0;
  std::int64_t failed = 0;
  std::int64_t connections = 0;
  Books books = {};
  Series left_over_time;
};

Trial run_trial(Borrowing borrowing, const SplitOptions& options, const Context& context) {
  context.progress(fmt::format("{} transfers, {}", options.transfers, describe(borrowing)));
  const Database database(context.postgres);
  const auto auditor = database.several_writers()->connect({});
  auditor->execute(kCreateTable, {});
  std::unique_ptr<Bank> bank;
  if (borrowing == Borrowing::each_call_borrows)
    bank = std::make_unique<SplitBank>(database, options.connections);
  else
    bank = std::make_unique<BoundBank>(database);

  Trial trial{.borrowing = borrowing,
              .left_over_time = {std::string(describe(borrowing)), {{0, 0}}}};
  std::atomic<std::int64_t> failed = 0;
  PlainPool pool(options.threads);
  for (std::size_t stretch = 1; stretch <= kStretches; ++stretch) {
    const auto end = static_cast<std::int64_t>(options.transfers * stretch / kStretches);
    for (std::int64_t& number = trial.transfers; number < end; ++number) {
      const Transfer transfer = make_transfer(number, context.seed, options.refused_share);
      trial.refused += transfer.refusal != Refusal::none ? 1 : 0;
      pool.post([&bank, &failed, transfer] {
        try {
          bank->run(transfer);
        } catch (const Error&) {
          ++failed;
        }
      });
    }
    pool.wait_until_idle();
    trial.books = audit(*auditor, trial.transfers, context.seed, options.refused_share);
    trial.left_over_time.points.push_back({static_cast<double>(trial.transfers) / 1000,
                                           static_cast<double>(trial.books.left_behind)});
  }
  trial.failed = failed;
  trial.connections = bank->connections_a_transfer();
  return trial;
}

Table table_of(const std::array<Trial, 2>& trials) {
  Table table{.title = "Transfers, and what the table says of them",
              .columns = {{"way"},
                          {"transfers"},
                          {"rolled back"},
                          {"failed"},
                          {"connections a transfer"},
                          {"rows left behind"},
                          {"rows missing"},
                          {"sum of all money"}},
              .rows = {}};
  for (const Trial& trial : trials)
    table.rows.push_back({std::string(describe(trial.borrowing)), trial.transfers, trial.refused,
                          trial.failed, trial.connections, trial.books.left_behind,
                          trial.books.missing, trial.books.sum});
  return table;
}

}  // namespace

Report run_split(const SplitOptions& options, const Context& context) {
  const std::array trials{run_trial(Borrowing::each_call_borrows, options, context),
                          run_trial(options.remedy, options, context)};
  const auto& [split, remedied] = trials;

  Report report{.name = "split",
                .claim =
                    "begin, statements and commit that each borrow are no transaction: what is "
                    "rolled back stays; in one transaction, on one connection, nothing stays"};
  report.tables.push_back(table_of(trials));
  report.charts.push_back({.file_name = "split-left-behind",
                           .title = "Rows that rolled-back transfers left behind",
                           .x = {"transfers", "thousands"},
                           .y = {"rows left behind", ""},
                           .series = {split.left_over_time, remedied.left_over_time}});
  const auto add = [&](std::string what, std::int64_t measured, Relation relation, double needed) {
    report.findings.push_back({std::move(what), static_cast<double>(measured), relation, needed});
  };
  add("connections that one transfer met, each call borrows", split.connections, Relation::at_least,
      kConnectionsOfNoTransaction);
  add("rows left behind, each call borrows", split.books.left_behind, Relation::more_than, 0);
  add("rows left behind, one transaction", remedied.books.left_behind, Relation::exactly, 0);
  add("rows missing, one transaction", remedied.books.missing, Relation::exactly, 0);
  add("sum of all money, one transaction", remedied.books.sum, Relation::exactly, 0);
  add("connections that one transfer met, one transaction", remedied.connections, Relation::exactly,
      1);
  report.notes.push_back(
      fmt::format("seed {}; {}", context.seed, Database::name_of(context.postgres)));
  return report;
}

}  // namespace carrel::lab
