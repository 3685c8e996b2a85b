// A two-leg voucher on SQLite: through the session, and written by hand against sqlite3, with the
// same statements, settings and one commit each.
#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <stdexcept>

#include "carrel/drivers/sqlite.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"

namespace carrel::bench {
namespace {

constexpr int kAccounts = 10'000;

class Folder {
 public:
  Folder() {
    auto pattern = (std::filesystem::temp_directory_path() / "carrel-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path file() const { return path_ / "bench.db"; }

 private:
  std::filesystem::path path_;
};

constexpr std::array kSchema = {
    "create table account (id integer primary key, balance integer not null)",
    "create table voucher (id integer primary key, memo text)",
    "create table entry (id integer primary key, voucher integer not null, account integer not "
    "null, amount integer not null)"};
constexpr const char* kFill =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000) "
    "insert into account select i, 0 from n";
constexpr const char* kVoucher = "insert into voucher values ($1, $2)";
constexpr const char* kBalance = "update account set balance = balance + $1 where id = $2";
constexpr const char* kEntry = "insert into entry (voucher, account, amount) values ($1, $2, $3)";

std::int64_t account_of(std::int64_t i) {
  return 1 + (i * 7919) % kAccounts;
}

void bound(benchmark::State& state) {
  const Folder folder;
  const auto driver = sqlite_driver({.file = folder.file(), .synchronous = SqliteSync::off});
  Pool pool({.name = "bench"}, *driver);
  Session session({.routes = {{"only", &pool, {}}}});
  const Scope scope({.name = "bench"});
  for (const auto* sql : kSchema) session.execute(sql);
  session.execute(kFill);
  std::int64_t i = 0;
  for (auto _ : state) {
    ++i;
    session.transaction([&] {
      session.execute(kVoucher, i, "a voucher");
      session.execute(kBalance, -1, account_of(i));
      session.execute(kBalance, 1, account_of(i + 1));
      session.execute(kEntry, i, account_of(i), -1);
      session.execute(kEntry, i, account_of(i + 1), 1);
    });
  }
}

class ByHand {
 public:
  explicit ByHand(const std::filesystem::path& file) {
    sqlite3_open_v2(file.c_str(), &db_,
                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    for (const auto* sql :
         {"pragma journal_mode = wal", "pragma synchronous = off", "pragma foreign_keys = on",
          "pragma cache_size = -16384", "pragma temp_store = memory"})
      run(sql);
    sqlite3_wal_autocheckpoint(db_, 4'000);
    for (const auto* sql : kSchema) run(sql);
    run(kFill);
    begin_ = prepare("begin immediate");
    commit_ = prepare("commit");
    voucher_ = prepare(kVoucher);
    balance_ = prepare(kBalance);
    entry_ = prepare(kEntry);
  }
  ByHand(const ByHand&) = delete;
  ByHand& operator=(const ByHand&) = delete;
  ~ByHand() {
    for (auto* statement : {begin_, commit_, voucher_, balance_, entry_})
      sqlite3_finalize(statement);
    sqlite3_close(db_);
  }

  void post(std::int64_t i) {
    step(begin_);
    sqlite3_bind_int64(voucher_, 1, i);
    sqlite3_bind_text(voucher_, 2, "a voucher", 9, SQLITE_STATIC);
    step(voucher_);
    move(-1, account_of(i));
    move(1, account_of(i + 1));
    record(i, account_of(i), -1);
    record(i, account_of(i + 1), 1);
    step(commit_);
  }

 private:
  void run(const char* sql) { sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }
  [[nodiscard]] sqlite3_stmt* prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    return statement;
  }
  static void step(sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) throw std::runtime_error("step failed");
    sqlite3_reset(statement);
  }
  void move(std::int64_t amount, std::int64_t account) {
    sqlite3_bind_int64(balance_, 1, amount);
    sqlite3_bind_int64(balance_, 2, account);
    step(balance_);
  }
  void record(std::int64_t voucher, std::int64_t account, std::int64_t amount) {
    sqlite3_bind_int64(entry_, 1, voucher);
    sqlite3_bind_int64(entry_, 2, account);
    sqlite3_bind_int64(entry_, 3, amount);
    step(entry_);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt* begin_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* voucher_ = nullptr;
  sqlite3_stmt* balance_ = nullptr;
  sqlite3_stmt* entry_ = nullptr;
};

void by_hand(benchmark::State& state) {
  const Folder folder;
  ByHand database(folder.file());
  std::int64_t i = 0;
  for (auto _ : state) database.post(++i);
}

BENCHMARK(by_hand)->Name("SqliteVoucher_ByHand");
BENCHMARK(bound)->Name("SqliteVoucher_Bound");

}  // namespace
}  // namespace carrel::bench
