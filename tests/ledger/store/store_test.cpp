#include "ledger/store/store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/code_of.h"
#include "ledger/open_books.h"

namespace carrel::ledger {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(Store, StartsBothBooksWithAChartAndAHouse) {
  OpenBooks books;
  for (const Book book : kBooks) {
    EXPECT_EQ(books.in(book, [&] { return books.ledger().subjects(); }).size(),
              ChartOfAccounts::standard(book).subjects().size());
    EXPECT_EQ(books.balance(book, "house/1002"), 0);
    EXPECT_EQ(text(books.check(book)), "");
  }
}

TEST(Store, KeepsWhatItHoldsOverARestart) {
  OpenBooks books;
  books.open_account(Book::consumer, "alice/2001");
  ASSERT_TRUE(books.top_up(Book::consumer, "alice/2001", 500, "k1").accepted());
  const std::int64_t accounts = books.count(Book::consumer, "account");

  books.reopen();

  EXPECT_EQ(books.balance(Book::consumer, "alice/2001"), 500);
  EXPECT_EQ(books.count(Book::consumer, "account"), accounts);
}

TEST(Store, GivesNoIdTwiceWhenTheClockWasSetBackOverARestart) {
  OpenBooks books;
  books.clock().advance(1h);
  books.open_account(Book::consumer, "alice/2001");
  const auto before = books.top_up(Book::consumer, "alice/2001", 500, "k1");
  books.clock().advance(-1h);

  books.reopen();

  const auto after = books.top_up(Book::consumer, "alice/2001", 500, "k2");
  EXPECT_GT(after->voucher.id, before->voucher.entries.back().id);
}

TEST(Store, NeedsABookForEveryStatement) {
  OpenBooks books;
  ScopeOptions options;
  options.name = "nobody's request";
  const Scope scope(std::move(options));
  EXPECT_EQ(code_of([&] { books.store().session().execute("select * from {account}"); }),
            "no_marker");
  EXPECT_EQ(code_of([&] { (void)books.ledger().trial_balance(); }), "no_marker");
  EXPECT_EQ(code_of([&] { (void)books.ledger().post_voucher({}); }), "no_marker");
}

TEST(Store, LetsNoRowOfTheOtherBookIn) {
  OpenBooks books;
  const auto insert_party = [&](std::int64_t id) {
    return code_of([&] {
      books.in(Book::consumer, [&] {
        books.store().session().execute(
            "insert into {party} (id, name, tier) values ($1, 'mallory', 1)", id);
      });
    });
  };
  EXPECT_EQ(insert_party(256 + 2), "sql.check_violation");
  EXPECT_EQ(insert_party(256), "sql.check_violation");
  EXPECT_EQ(insert_party(256 + 1), "");
}

TEST(Store, FindsNoTableOfTheOtherBook) {
  OpenBooks books;
  EXPECT_EQ(code_of([&] {
              books.in(Book::consumer,
                       [&] { books.store().session().execute("select * from merchant_account"); });
            }),
            "sql.no_table");
}

TEST(Store, RefusesTheFileOfTheOtherBook) {
  OpenBooks books;
  books.close();
  std::filesystem::rename(books.file(Book::consumer), books.file(Book::merchant));
  EXPECT_EQ(code_of([&] { books.open(); }), "store.schema");
}

TEST(Store, RefusesASchemaFromTheFuture) {
  OpenBooks books;
  books.in(Book::merchant,
           [&] { books.store().session().execute("update {schema_version} set version = 99"); });
  books.close();
  EXPECT_EQ(code_of([&] { books.open(); }), "store.schema");
}

TEST(Store, RefusesAFileThatIsNoDatabase) {
  OpenBooks books;
  books.close();
  std::ofstream(books.file(Book::consumer)) << std::string(8192, 'x');
  EXPECT_EQ(code_of([&] { books.open(); }), "sql.not_a_database");
}

TEST(Store, RefusesASecondOneOnTheSameFolder) {
  OpenBooks books;
  EXPECT_EQ(code_of([&] { books.open(); }), "sql.in_use");
}

TEST(Store, SaysWhenItsFolderCannotBe) {
  OpenBooks books;
  EXPECT_EQ(code_of([&] { (void)open_store({.folder = books.file(Book::consumer) + "/data"}); }),
            "store.folder");
}

}  // namespace
}  // namespace carrel::ledger
