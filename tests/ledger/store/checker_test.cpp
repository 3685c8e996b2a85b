#include "ledger/store/checker.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>

#include "ledger/open_books.h"

namespace carrel::ledger {
namespace {

using namespace testing;

// A small book that has everything, to be spoilt.
class Checker : public ::testing::Test {
 protected:
  Checker() {
    for (const Book book : kBooks) {
      books_.open_account(book, "alice/2001");
      books_.open_account(book, "shop/2002");
      EXPECT_TRUE(books_.top_up(book, "alice/2001", 10'000, "k1").accepted());
      EXPECT_TRUE(books_.post(book, pay("alice/2001", "shop/2002", 1'250), "k2").accepted());
      VoucherRequest back = refund("shop/2002", "alice/2001", 300);
      back.original = "k2";
      EXPECT_TRUE(books_.post(book, back, "k3").accepted());
      EXPECT_TRUE(books_.post(book, back, "k4").accepted());
    }
  }

  // Changes the file behind the ledger's back, past every constraint.
  void spoil(const std::string& sql) {
    books_.close();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(books_.file(Book::consumer).c_str(), &database), SQLITE_OK);
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database, ("pragma ignore_check_constraints = on; " + sql).c_str(),
                           nullptr, nullptr, &message),
              SQLITE_OK)
        << message << " in " << sql;
    EXPECT_GT(sqlite3_total_changes(database) + (sql.starts_with("create") ? 1 : 0), 0) << sql;
    sqlite3_free(message);
    sqlite3_close(database);
    books_.open();
  }

  [[nodiscard]] CheckReport check() { return books_.check(Book::consumer); }

  [[nodiscard]] static bool names(const CheckReport& report, std::string_view check,
                                  std::string_view row) {
    return std::ranges::any_of(report.violations, [&](const Violation& each) {
      return each.check == check && each.row == row;
    });
  }
  [[nodiscard]] std::int64_t id(const std::string& sql) {
    return books_.in(Book::consumer, [&] {
      return books_.store().session().execute(sql).one().get<std::int64_t>(0);
    });
  }
  [[nodiscard]] std::int64_t voucher(const std::string& key) {
    return id("select id from {voucher} where key = '" + key + "'");
  }
  [[nodiscard]] std::int64_t alice() {
    return id(
        "select a.id from {account} a join {party} p on p.id = a.party_id where p.name = 'alice'");
  }

  OpenBooks books_;
};

std::string row(std::string_view table, std::int64_t id) {
  return std::string(table) + " " + std::to_string(id);
}

TEST_F(Checker, FindsNothingInASoundBook) {
  for (const Book book : kBooks) {
    const CheckReport report = books_.check(book);
    EXPECT_TRUE(report.clean()) << text(report);
    EXPECT_EQ(report.book, book);
  }
}

TEST_F(Checker, CountsTheRowsItLookedAt) {
  const CheckReport report = check();
  const auto rows = [&](std::string_view table) {
    return std::ranges::find(report.counts, table, &RowCount::table)->rows;
  };
  EXPECT_EQ(rows("voucher"), 4);
  EXPECT_EQ(rows("entry"), 8);
  EXPECT_EQ(rows("idempotency"), 4);
  EXPECT_EQ(rows("party"), 3);
}

TEST_F(Checker, NamesAVoucherThatDoesNotBalance) {
  const std::int64_t paid = voucher("k2");
  spoil("update consumer_entry set amount = 1251 where id = " + std::to_string(entry_id(paid, 1)));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "balanced", row("voucher", paid))) << text(report);
  EXPECT_TRUE(names(report, "balanced", "book CNY")) << text(report);
  EXPECT_TRUE(names(report, "voucher_entries", row("voucher", paid))) << text(report);
  EXPECT_TRUE(names(report, "version_chain", row("entry", entry_id(paid, 1)))) << text(report);
}

TEST_F(Checker, SurvivesAmountsThatOverflow) {
  const std::int64_t paid = voucher("k2");
  spoil("update consumer_entry set amount = 9223372036854775807");
  EXPECT_TRUE(names(check(), "voucher_entries", row("voucher", paid)));
}

TEST_F(Checker, NamesAVoucherWithoutAnEntry) {
  const std::int64_t paid = voucher("k2");
  spoil("delete from consumer_entry where id = " + std::to_string(entry_id(paid, 2)));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "voucher_entries", row("voucher", paid))) << text(report);
  EXPECT_TRUE(names(report, "account_balance",
                    row("account", id("select id from {account} where subject = '2002'"))))
      << text(report);
}

TEST_F(Checker, NamesAnEntryWithoutAVoucher) {
  const std::int64_t topped = voucher("k1");
  spoil("delete from consumer_voucher where key = 'k1'");
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "voucher_entries", row("entry", entry_id(topped, 1)))) << text(report);
  EXPECT_TRUE(names(report, "idempotency", "key k1")) << text(report);
}

TEST_F(Checker, NamesABalanceThatItsEntriesDoNotGive) {
  const std::int64_t account = alice();
  spoil("update consumer_account set balance = balance + 1 where id = " + std::to_string(account));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "account_balance", row("account", account))) << text(report);
  EXPECT_TRUE(names(report, "version_chain", row("account", account))) << text(report);
  EXPECT_TRUE(names(report, "subject_totals", "subject 2001 CNY")) << text(report);
}

TEST_F(Checker, NamesAGapBetweenVersions) {
  const std::int64_t entry = entry_id(voucher("k3"), 2);
  spoil("update consumer_entry set version = 7 where id = " + std::to_string(entry));
  EXPECT_TRUE(names(check(), "version_chain", row("entry", entry)));
}

TEST_F(Checker, NamesAnEntryThatFollowsAnotherAccounts) {
  const std::int64_t entry = entry_id(voucher("k2"), 1);
  spoil("update consumer_entry set previous_entry = " + std::to_string(entry_id(voucher("k1"), 1)) +
        " where id = " + std::to_string(entry));
  EXPECT_TRUE(names(check(), "version_chain", row("entry", entry)));
}

TEST_F(Checker, NamesABalanceAfterThatDoesNotChain) {
  const std::int64_t entry = entry_id(voucher("k2"), 1);
  spoil("update consumer_entry set balance_after = 1 where id = " + std::to_string(entry));
  EXPECT_TRUE(names(check(), "version_chain", row("entry", entry)));
}

TEST_F(Checker, NamesAnAccountThatForgotItsLastEntry) {
  const std::int64_t account = alice();
  spoil("update consumer_account set last_entry = null where id = " + std::to_string(account));
  EXPECT_TRUE(names(check(), "version_chain", row("account", account)));
}

TEST_F(Checker, NamesAnOverdraftNowAndAtAnyVersion) {
  const std::int64_t account = alice();
  const std::int64_t entry = entry_id(voucher("k2"), 1);
  spoil("update consumer_entry set balance_after = -5 where id = " + std::to_string(entry) +
        "; update consumer_account set frozen = 10000 where id = " + std::to_string(account));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "credit_line", row("entry", entry))) << text(report);
  EXPECT_TRUE(names(report, "credit_line", row("account", account))) << text(report);
}

TEST_F(Checker, NamesAKeyOfTwoVouchers) {
  const std::int64_t second = voucher("k2");
  spoil("update consumer_voucher set key = 'k1' where key = 'k2'");
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "idempotency", row("voucher", second))) << text(report);
  EXPECT_TRUE(names(report, "idempotency", "key k2")) << text(report);
}

TEST_F(Checker, NamesAVoucherWhoseKeyIsGone) {
  const std::int64_t paid = voucher("k2");
  spoil("delete from consumer_idempotency where key = 'k2'");
  EXPECT_TRUE(names(check(), "idempotency", row("voucher", paid)));
}

TEST_F(Checker, NamesRefundsBeyondTheirPayment) {
  const std::int64_t paid = voucher("k2");
  spoil(
      "update consumer_voucher set amount = 1000 where key = 'k3'; "
      "update consumer_entry set amount = 1000 where voucher_id = " +
      std::to_string(voucher("k3")));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "refunds", row("voucher", paid))) << text(report);
}

TEST_F(Checker, NamesARefundThatWasNotCounted) {
  const std::int64_t paid = voucher("k2");
  spoil("update consumer_voucher set refund_count = 1 where key = 'k2'");
  EXPECT_TRUE(names(check(), "refunds", row("voucher", paid)));
}

TEST_F(Checker, NamesARefundOutOfItsChain) {
  const std::int64_t last = voucher("k4");
  spoil("update consumer_voucher set previous_refund = " + std::to_string(voucher("k1")) +
        " where key = 'k4'");
  EXPECT_TRUE(names(check(), "refunds", row("voucher", last)));
}

TEST_F(Checker, NamesARefundOfNothing) {
  const std::int64_t last = voucher("k4");
  spoil("update consumer_voucher set original_id = 257 where key = 'k4'");
  EXPECT_TRUE(names(check(), "refunds", row("voucher", last)));
}

TEST_F(Checker, NamesARefundToSomebodyElse) {
  const std::int64_t paid = voucher("k2");
  const std::int64_t bank =
      id("select a.id from {account} a join {party} p on p.id = a.party_id "
         "where p.name = 'house' and a.subject = '1002'");
  spoil("update consumer_entry set account_id = " + std::to_string(bank) +
        " where id = " + std::to_string(entry_id(voucher("k4"), 2)));
  EXPECT_TRUE(names(check(), "refunds", row("voucher", paid)));
}

TEST_F(Checker, NamesEveryIdOfTheOtherBook) {
  struct Column {
    std::string table, key, column;
  };
  const std::vector<Column> columns{{"party", "id", "id"},
                                    {"account", "id", "id"},
                                    {"account", "id", "party_id"},
                                    {"account", "id", "last_entry"},
                                    {"voucher", "id", "id"},
                                    {"voucher", "id", "original_id"},
                                    {"voucher", "id", "last_refund"},
                                    {"voucher", "id", "previous_refund"},
                                    {"entry", "id", "id"},
                                    {"entry", "id", "voucher_id"},
                                    {"entry", "id", "account_id"},
                                    {"entry", "id", "previous_entry"},
                                    {"idempotency", "key", "voucher_id"}};
  for (const Column& each : columns) {
    const std::string table = "consumer_" + each.table;
    spoil("update " + table + " set " + each.column + " = " + each.column + " + 1 where " +
          each.key + " = (select max(" + each.key + ") from " + table + " where " + each.column +
          " is not null)");
    const CheckReport report = check();
    EXPECT_TRUE(std::ranges::any_of(report.violations,
                                    [&](const Violation& violation) {
                                      return violation.check == "book_tag" &&
                                             violation.row.starts_with(each.table) &&
                                             violation.detail.starts_with(each.column + " ");
                                    }))
        << each.table << "." << each.column << "\n"
        << text(report);
    spoil("update " + table + " set " + each.column + " = " + each.column + " - 1 where (" +
          each.column + " & 255) = 2");
    EXPECT_EQ(text(check()), "");
  }
}

TEST_F(Checker, NamesReferencesThatLeadNowhere) {
  const std::int64_t account = alice();
  const std::int64_t entry = entry_id(voucher("k2"), 1);
  spoil("update consumer_account set party_id = 257, subject = '9999' where id = " +
        std::to_string(account) +
        "; update consumer_entry set account_id = 513 where id = " + std::to_string(entry));
  const CheckReport report = check();
  EXPECT_TRUE(names(report, "references", row("account", account))) << text(report);
  EXPECT_TRUE(names(report, "references", row("entry", entry))) << text(report);
}

TEST_F(Checker, NamesAnEntryInAnotherCurrencyThanItsAccount) {
  const std::int64_t entry = entry_id(voucher("k2"), 1);
  spoil("update consumer_account set currency = 'USD' where id = " + std::to_string(alice()));
  EXPECT_TRUE(names(check(), "references", row("entry", entry)));
}

TEST_F(Checker, NamesATableOfTheOtherBook) {
  spoil("create table merchant_account (id integer)");
  EXPECT_TRUE(names(check(), "tables", "table merchant_account"));
}

TEST_F(Checker, NamesAnAcknowledgedKeyThatIsLost) {
  const std::vector<std::string> keys{"k1", "k2", "lost"};
  const CheckReport report = books_.check(Book::consumer, {.acknowledged_keys = keys});
  EXPECT_EQ(report.violation_count, 1);
  EXPECT_TRUE(names(report, "acknowledged", "key lost")) << text(report);
}

TEST_F(Checker, CountsEveryViolationButListsOnlySome) {
  spoil("delete from consumer_idempotency");
  const CheckReport report = books_.check(Book::consumer, {.violations_max = 1});
  EXPECT_EQ(report.violation_count, 4);
  EXPECT_EQ(report.violations.size(), 1U);
  const CheckReport counted = books_.check(Book::consumer, {.violations_max = 0});
  EXPECT_EQ(counted.violation_count, 4);
  EXPECT_TRUE(counted.violations.empty());
  EXPECT_FALSE(counted.clean());
}

TEST_F(Checker, LeavesTheOtherBookOutOfIt) {
  spoil("delete from consumer_idempotency");
  EXPECT_FALSE(check().clean());
  EXPECT_TRUE(books_.check(Book::merchant).clean());
}

}  // namespace
}  // namespace carrel::ledger
