// The session over real files: two books, one set of statements.
#include <gtest/gtest.h>

#include <thread>

#include "base/code_of.h"
#include "carrel/drivers/sqlite.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope.h"
#include "carrel/session/session.h"
#include "db/temporary_folder.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

class TwoBooks : public testing::Test {
 protected:
  TwoBooks() {
    for (const auto* name : {"consumer", "merchant"}) {
      const Scope scope({.name = "schema"});
      book_.set(name);
      session_.execute(
          "create table {account} (id integer primary key, balance integer not null "
          "check (balance >= 0))");
      session_.execute("insert into {account} values (1, 1000), (2, 0)");
    }
  }

  void transfer(std::int64_t amount) {
    session_.transaction([&] {
      session_.execute("update {account} set balance = balance + $1 where id = 2", amount);
      session_.execute("update {account} set balance = balance - $1 where id = 1", amount);
    });
  }
  std::int64_t balance(int id) {
    return session_.execute("select balance from {account} where id = $1", id)
        .one()
        .get<std::int64_t>(0);
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Driver> consumer_ =
      sqlite_driver({.file = folder_ / "consumer.db", .synchronous = SqliteSync::off});
  std::unique_ptr<Driver> merchant_ =
      sqlite_driver({.file = folder_ / "merchant.db", .synchronous = SqliteSync::off});
  Pool consumer_pool_{{.name = "consumer", .acquire_max = 60s, .label = scope_label}, *consumer_};
  Pool merchant_pool_{{.name = "merchant", .acquire_max = 60s, .label = scope_label}, *merchant_};
  RequestLocal<std::string> book_{"book"};
  Session session_{{.routes = {{"consumer", &consumer_pool_, {{"account", "consumer_account"}}},
                               {"merchant", &merchant_pool_, {{"account", "merchant_account"}}}},
                    .marker = [this]() -> std::optional<std::string_view> {
                      const auto* book = book_.find();
                      if (book == nullptr) return std::nullopt;
                      return *book;
                    }}};
};

TEST_F(TwoBooks, EachKeepsItsOwnMoney) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  transfer(300);
  EXPECT_EQ(balance(2), 300);
  book_.set("merchant");
  EXPECT_EQ(balance(2), 0);
}

TEST_F(TwoBooks, ARouteHasNoRoleOnSqlite) {
  for (const Place& place : {Place{.role = "tenant"}, Place{.schema = "tenant"}}) {
    EXPECT_EQ(code_of([&] {
                Session({.routes = {{.name = "a", .pool = &consumer_pool_, .place = place}}});
              }),
              "invalid_place");
    EXPECT_EQ(code_of([&] { consumer_pool_.borrow()->set_place(place); }), "sql.unsupported");
  }
}

TEST_F(TwoBooks, AFailedTransferMovesNothing) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  EXPECT_EQ(code_of([&] { transfer(1'001); }), "sql.check_violation");
  EXPECT_EQ(balance(1), 1'000);
  EXPECT_EQ(balance(2), 0);
}

TEST_F(TwoBooks, ASecondWriterInsideAWriterIsRefusedAndNamesTheHolder) {
  const Scope scope({.name = "POST /v1/vouchers"});
  book_.set("consumer");
  try {
    session_.transaction([&] {
      session_.execute("update {account} set balance = 0");
      session_.transaction({.propagation = Propagation::requires_new},
                           [&] { session_.execute("update {account} set balance = 1"); });
    });
    FAIL() << "two writers at once";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "would_deadlock");
    EXPECT_NE(std::string_view(error.what()).find("POST /v1/vouchers"), std::string_view::npos)
        << error.what();
  }
  EXPECT_EQ(balance(1), 1'000);
}

TEST_F(TwoBooks, WhatFollowsABeginWithoutTimeIsStillInATransaction) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  const auto transact = [&] {
    session_.transaction([&] {
      const auto late = [&] {
        session_.transaction({.propagation = Propagation::nested, .deadline = 0ms},
                             [&] { balance(1); });
      };
      EXPECT_EQ(code_of(late), "sql.deadline");
      session_.execute("update {account} set balance = 5 where id = 1");
      session_.set_rollback_only();
    });
  };
  transact();
  EXPECT_EQ(balance(1), 1'000);
}

TEST_F(TwoBooks, AReaderInsideAWriterSeesWhatWasCommitted) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  session_.transaction([&] {
    session_.execute("update {account} set balance = 5 where id = 1");
    session_.transaction({.propagation = Propagation::requires_new, .read_only = true},
                         [&] { EXPECT_EQ(balance(1), 1'000); });
    EXPECT_EQ(balance(1), 5);
  });
  EXPECT_EQ(balance(1), 5);
}

TEST_F(TwoBooks, SavepointsUndoPart) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  session_.transaction([&] {
    transfer(100);
    EXPECT_EQ(code_of([&] {
                session_.transaction({.propagation = Propagation::nested}, [&] {
                  transfer(50);
                  throw Error("changed_my_mind", "");
                });
              }),
              "changed_my_mind");
  });
  EXPECT_EQ(balance(2), 100);
}

TEST_F(TwoBooks, AStatementThatReadsFirstAndWritesThenFindsTheWriter) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  for (int i = 0; i < 2; ++i) {
    const auto changed = session_.execute(
        "with rich as (select id from {account} where balance > 10) "
        "update {account} set balance = balance - 1 where id in (select id from rich)");
    EXPECT_EQ(changed.affected_rows(), 1);
  }
  EXPECT_EQ(balance(1), 998);
}

TEST_F(TwoBooks, AReadOnlyTransactionCannotWrite) {
  const Scope scope({.name = "test"});
  book_.set("consumer");
  EXPECT_EQ(code_of([&] {
              session_.transaction({.read_only = true},
                                   [&] { session_.execute("delete from {account}"); });
            }),
            "sql.read_only");
  EXPECT_EQ(balance(1), 1'000);
}

TEST_F(TwoBooks, ManyThreadsMoveMoneyInBothBooksAndNoneIsLost) {
  constexpr int kThreads = 6;
  constexpr int kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const Scope scope({.name = "a request"});
        book_.set((t + i) % 2 == 0 ? "consumer" : "merchant");
        transfer(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto* name : {"consumer", "merchant"}) {
    const Scope scope({.name = "check"});
    book_.set(name);
    EXPECT_EQ(balance(1) + balance(2), 1'000);
    EXPECT_EQ(balance(2), kThreads * kEach / 2);
  }
}

TEST_F(TwoBooks, LoadsRowsIntoASlot) {
  const Scope scope({.name = "test"});
  book_.set("merchant");
  const std::array<std::string_view, 2> columns{"id", "balance"};
  const std::vector<Value> values{10, 1, 11, 2, 12, 3};
  EXPECT_EQ(session_.load("account", columns, values), 3);
  EXPECT_EQ(balance(12), 3);
  EXPECT_EQ(code_of([&] { session_.load("acount", columns, values); }), "unknown_slot");
}

}  // namespace
}  // namespace carrel
