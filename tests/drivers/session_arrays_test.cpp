// Arrays through a session: many rows by one statement, its tables by slots, alone, in a
// transaction and in a batch.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "drivers/errors.h"
#include "drivers/postgres_server.h"

namespace carrel::test {
namespace {

constexpr std::int64_t kVouchers = 500;
constexpr const char* kInsert =
    "insert into {voucher} (id, account, amount, memo) "
    "select given.* from unnest($1, $2, $3, $4) as \"given\" (id, account, amount, memo) "
    "on conflict (id) do nothing";
constexpr const char* kPost =
    "update {account} set balance = balance + posted.amount from "
    "(select account, sum(amount) as amount from unnest($1, $2) as leg (account, amount) "
    "group by account) as posted where id = posted.account returning id, balance";

// Vouchers as columns: some without a memo, others with one too long to lie within a string.
struct Vouchers {
  explicit Vouchers(std::int64_t first) {
    for (std::int64_t i = 0; i < kVouchers; ++i) {
      ids.push_back(first + i);
      accounts.push_back(1 + i % 2);
      amounts.push_back(static_cast<int>(i));
      if (i % 10 == 0) {
        memos.emplace_back();
      } else {
        memos.emplace_back("memo of the voucher with the number " + std::to_string(first + i));
      }
    }
  }
  [[nodiscard]] static std::int64_t sum() { return kVouchers * (kVouchers - 1) / 2; }

  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> accounts;
  std::vector<int> amounts;
  std::vector<std::optional<std::string>> memos;
};

class SessionArrays : public testing::Test {
 protected:
  SessionArrays() : driver_(postgres_driver(postgres_options())) {
    const auto maker = driver_->connect({});
    for (const std::string book : {"consumer", "merchant"}) {
      maker->execute("drop table if exists " + book + "_voucher, " + book + "_account");
      maker->execute("create table " + book +
                     "_voucher (id bigint primary key, account bigint, amount bigint, memo text)");
      maker->execute("create table " + book + "_account (id bigint primary key, balance bigint)");
      maker->execute("insert into " + book + "_account values (1, 0), (2, 0)");
    }
    pool_.emplace(PoolOptions{.name = "one",
                              .size_max = 1,
                              .validate_after = std::chrono::hours(1),
                              .maintain_every = {}},
                  *driver_);
    session_.emplace(SessionOptions{
        .routes = {{"consumer", &*pool_, slots("consumer")},
                   {"merchant", &*pool_, slots("merchant")}},
        .marker = [this]() -> std::optional<std::string_view> { return *book_.find(); },
        .pause = [](std::chrono::nanoseconds) {}});
    book_.set("consumer");
  }
  static std::map<std::string, std::string, std::less<>> slots(const std::string& book) {
    return {{"voucher", book + "_voucher"}, {"account", book + "_account"}};
  }

  Result insert(const Vouchers& vouchers) {
    return session_->execute(kInsert, Array(vouchers.ids), Array(vouchers.accounts),
                             Array(vouchers.amounts), Array(vouchers.memos));
  }
  // What it is made of is gone when it is sent.
  static Batch as_batch(std::int64_t first) {
    const Vouchers vouchers(first);
    const auto about = std::string("a text that does not lie within a string, of ") + kInsert;
    return Batch()
        .add(kInsert, Array(vouchers.ids), Array(vouchers.accounts), Array(vouchers.amounts),
             Array(vouchers.memos))
        .add(kPost, Array(vouchers.accounts), Array(vouchers.amounts))
        .add("select length($1), cardinality($2)", about,
             Array(std::vector<Bytes>{Bytes(100), Bytes()}));
  }
  std::int64_t number(std::string_view sql) {
    return session_->execute(sql).one().get<std::int64_t>(0);
  }
  void expect_all_there(std::int64_t vouchers) {
    EXPECT_EQ(number("select count(*) from {voucher}"), vouchers);
    EXPECT_EQ(number("select count(*) from {voucher} where memo is null"), vouchers / 10);
    EXPECT_EQ(number("select count(*) from {voucher} "
                     "where memo = 'memo of the voucher with the number ' || id"),
              vouchers - vouchers / 10);
  }
  std::uint64_t trips() { return pool_->borrow()->round_trips(); }

  std::unique_ptr<Driver> driver_;
  std::optional<Pool> pool_;
  std::optional<Session> session_;
  RequestLocal<std::string> book_{"book"};
  const Scope scope_{{.name = "a test"}};
};

TEST_F(SessionArrays, InsertManyRowsByOneStatementIntoTheTableOfTheMarker) {
  const Vouchers vouchers(1);
  auto before = trips();
  EXPECT_EQ(insert(vouchers).affected_rows(), kVouchers);
  EXPECT_EQ(trips() - before, 1U);
  EXPECT_EQ(insert(vouchers).affected_rows(), 0);  // they are there
  expect_all_there(kVouchers);
  book_.set("merchant");
  expect_all_there(0);
  before = trips();
  session_->transaction([&] {
    EXPECT_EQ(insert(vouchers).affected_rows(), kVouchers);
    EXPECT_EQ(insert(Vouchers(1 + kVouchers / 2)).affected_rows(), kVouchers / 2);
  });
  EXPECT_EQ(trips() - before, 3U);  // BEGIN rides with the first
  expect_all_there(kVouchers + kVouchers / 2);
}

TEST_F(SessionArrays, AreKeptByABatchThatOutlivesWhatTheyAreMadeOf) {
  const auto batch = as_batch(1);
  auto moved = as_batch(1 + kVouchers);
  const Batch second = std::move(moved);
  auto before = trips();
  const auto results = session_->batch(batch);
  EXPECT_EQ(trips() - before, 1U);
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].affected_rows(), kVouchers);
  EXPECT_EQ(results[1].size(), 2U);
  EXPECT_EQ(results[2].one().get<int>(1), 2);
  session_->transaction([&] { session_->batch(second); });
  expect_all_there(2 * kVouchers);
  EXPECT_EQ(number("select sum(balance)::bigint from {account}"), 2 * Vouchers::sum());
}

TEST_F(SessionArrays, ThatAreRefusedUndoTheirTransactionOnly) {
  Vouchers vouchers(1);
  vouchers.memos.back() = "no text: \xff";
  EXPECT_EQ(thrown_by([&] {
              session_->transaction([&] {
                session_->execute("update {account} set balance = 7");
                insert(vouchers);
              });
            }),
            "sql.invalid_text");
  EXPECT_EQ(number("select sum(balance)::bigint from {account}"), 0);
  vouchers.memos.back() = std::nullopt;
  EXPECT_EQ(insert(vouchers).affected_rows(), kVouchers);
}

TEST_F(SessionArrays, ThatABatchCannotKeepLeaveItAsItWas) {
  Batch batch;
  batch.add("select $1::int", 7);
  const std::vector<std::uint64_t> too_large{1, UINT64_MAX};
  EXPECT_EQ(thrown_by([&] { batch.add("select $1, $2", 1, Array(too_large)); }),
            "sql.value_out_of_range");
  EXPECT_EQ(batch.size(), 1U);
  batch.add("select $1::int", 8);
  const auto results = session_->batch(batch);
  EXPECT_EQ(results[0].one().get<int>(0), 7);
  EXPECT_EQ(results[1].one().get<int>(0), 8);
}

}  // namespace
}  // namespace carrel::test
