#include "ledger/posting/ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ledger/open_books.h"
#include "ledger/posting/body_hash.h"
#include "ledger/posting/cursor.h"

namespace carrel::ledger {
namespace {

using namespace testing;

const AccountQuery kAlice{.ref = *AccountRef::parse("alice/2001")};

Outcome<OpenedAccount> open(OpenBooks& books, Book book, const OpenAccountRequest& request) {
  return books.in(book, [&] { return books.ledger().open_account(request); });
}

TEST(Opening, RegistersItsPartyAndAnswersTheSameAgain) {
  OpenBooks books;
  const OpenAccountRequest request{.party = "alice", .subject = "2001"};
  const auto first = open(books, Book::consumer, request);
  ASSERT_TRUE(first.accepted());
  EXPECT_TRUE(first->created);
  EXPECT_EQ(first->account.party.tier, Tier::two);
  EXPECT_EQ(book_of(first->account.id), Book::consumer);
  const auto again = open(books, Book::consumer, request);
  ASSERT_TRUE(again.accepted());
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->account, first->account);
  EXPECT_EQ(books.in(Book::consumer, [&] { return books.ledger().find_account(kAlice).value(); }),
            first->account);
}

TEST(Opening, GivesAPartySeveralAccounts) {
  OpenBooks books;
  const auto cny_account = open(books, Book::consumer, {.party = "alice", .subject = "2001"});
  const auto usd_account =
      open(books, Book::consumer,
           {.party = "alice", .subject = "2001", .currency = *Currency::find("USD")});
  const auto other = open(books, Book::consumer, {.party = "alice", .subject = "2002"});
  EXPECT_EQ(cny_account->account.party, usd_account->account.party);
  EXPECT_EQ(cny_account->account.party, other->account.party);
  EXPECT_EQ((std::set{cny_account->account.id, usd_account->account.id, other->account.id}.size()),
            3U);
}

TEST(Opening, BringsTheHouseIntoANewCurrency) {
  OpenBooks books;
  const Currency usd = *Currency::find("USD");
  books.open_account(Book::consumer, "alice/2001", {.currency = usd});
  const VoucherRequest request{
      .key = "k1",
      .kind = VoucherKind::credit,
      .legs = {{*AccountRef::parse("house/1002"), Side::debit, {5, usd}},
               {*AccountRef::parse("alice/2001"), Side::credit, {5, usd}}}};
  EXPECT_TRUE(
      books.in(Book::consumer, [&] { return books.ledger().post_voucher(request); }).accepted());
}

TEST(Opening, RefusesWhatABookDoesNotHave) {
  OpenBooks books;
  struct Case {
    Book book;
    OpenAccountRequest request;
    std::string code;
  };
  const std::vector<Case> cases{
      {Book::consumer, {.party = "", .subject = "2001"}, "bad_party"},
      {Book::consumer, {.party = "a/b", .subject = "2001"}, "bad_party"},
      {Book::consumer, {.party = "house", .subject = "2001"}, "party_reserved"},
      {Book::consumer, {.party = "alice", .subject = "9999"}, "unknown_subject"},
      {Book::consumer, {.party = "alice", .subject = "1002"}, "subject_not_for_parties"},
      {Book::consumer, {.party = "alice", .subject = "2001", .credit_line = 1}, "bad_credit_line"},
      {Book::merchant, {.party = "alice", .subject = "2001", .credit_line = -1}, "bad_credit_line"},
      {Book::consumer, {.party = "alice", .subject = "2003"}, "unknown_subject"}};
  for (const Case& each : cases) {
    const auto outcome = open(books, each.book, each.request);
    ASSERT_FALSE(outcome.accepted()) << each.code;
    EXPECT_EQ(outcome.refusal().code, each.code);
    EXPECT_EQ(outcome.refusal().kind, RefusalKind::malformed);
  }
  EXPECT_EQ(books.count(Book::consumer, "party"), 1);
}

TEST(Opening, RefusesToBeOpenedDifferently) {
  OpenBooks books;
  books.open_account(Book::merchant, "shop/2001", {.tier = Tier::three, .credit_line = 100});
  const auto with = [&](std::optional<Tier> tier, std::optional<std::int64_t> line) {
    const auto outcome =
        open(books, Book::merchant,
             {.party = "shop", .subject = "2001", .tier = tier, .credit_line = line});
    return outcome.accepted() ? "" : outcome.refusal().code;
  };
  EXPECT_EQ(with(std::nullopt, std::nullopt), "");
  EXPECT_EQ(with(Tier::three, 100), "");
  EXPECT_EQ(with(Tier::two, 100), "account_differs");
  EXPECT_EQ(with(Tier::three, 99), "account_differs");
}

class Statement : public ::testing::Test {
 protected:
  Statement() {
    books_.open_account(Book::consumer, "alice/2001");
    books_.open_account(Book::consumer, "bob/2001");
    for (int i = 1; i <= 10; ++i) top_up(i);
  }

  void top_up(int i) {
    ASSERT_TRUE(books_.top_up(Book::consumer, "alice/2001", i, "k" + std::to_string(i)).accepted());
  }
  Outcome<StatementPage> page(std::size_t limit, const std::string& cursor = "",
                              const AccountQuery& account = kAlice) {
    return books_.in(Book::consumer, [&] {
      return books_.ledger().statement({.account = account, .limit = limit, .cursor = cursor});
    });
  }
  [[nodiscard]] std::string code(std::size_t limit, const std::string& cursor,
                                 const AccountQuery& account = kAlice) {
    return page(limit, cursor, account).refusal().code;
  }

  OpenBooks books_;
};

TEST_F(Statement, ShowsTheNewestFirstWithItsVoucher) {
  const StatementPage newest = page(3).value();
  ASSERT_EQ(newest.lines.size(), 3U);
  EXPECT_EQ(newest.lines[0].key, "k10");
  EXPECT_EQ(newest.lines[0].kind, VoucherKind::credit);
  EXPECT_EQ(newest.lines[0].entry.balance_after, 55);
  EXPECT_EQ(newest.lines[2].entry.version, 8);
  EXPECT_EQ(newest.account.balance, 55);
}

TEST_F(Statement, ShowsEachEntryOnceWhilePostingGoesOn) {
  std::vector<std::string> seen;
  std::string cursor;
  int next_key = 11;
  do {
    const StatementPage each = page(3, cursor).value();
    for (const StatementLine& line : each.lines) seen.push_back(line.key);
    cursor = each.next_cursor;
    top_up(next_key++);
  } while (!cursor.empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"k10", "k9", "k8", "k7", "k6", "k5", "k4", "k3", "k2",
                                            "k1"}));
}

TEST_F(Statement, EndsWithoutACursor) {
  EXPECT_EQ(page(10)->next_cursor, "");
  EXPECT_NE(page(9)->next_cursor, "");
  EXPECT_TRUE(page(5, "", {.ref = *AccountRef::parse("bob/2001")})->lines.empty());
}

TEST_F(Statement, RefusesCursorsOfOthers) {
  const std::string cursor = page(3)->next_cursor;
  EXPECT_EQ(code(3, cursor, {.ref = *AccountRef::parse("bob/2001")}), "bad_cursor");
  for (const std::string bad : {"x", "e", "e-1", "e!", "ezzzzzzzzzzzzzzzzzzzz", "e1 "})
    EXPECT_EQ(code(3, bad), "bad_cursor") << bad;
  EXPECT_EQ(code(0, ""), "bad_limit");
  EXPECT_EQ(code(kStatementPageMax + 1, ""), "bad_limit");
  EXPECT_EQ(code(3, "", {.ref = *AccountRef::parse("nobody/2001")}), "account_not_found");
}

TEST(Cursor, ReadsBackWhatItWrote) {
  for (const std::int64_t id : {std::int64_t{1}, std::int64_t{256}, INT64_MAX})
    EXPECT_EQ(decode_cursor(encode_cursor(id)), id);
}

TEST(TrialBalance, BalancesAndNamesEverySubject) {
  OpenBooks books;
  books.open_account(Book::consumer, "alice/2001");
  books.open_account(Book::consumer, "shop/2002");
  ASSERT_TRUE(books.top_up(Book::consumer, "alice/2001", 10'000, "k1").accepted());
  ASSERT_TRUE(books.post(Book::consumer, pay("alice/2001", "shop/2002", 1'250), "k2").accepted());

  const TrialBalance trial =
      books.in(Book::consumer, [&] { return books.ledger().trial_balance(); });

  ASSERT_EQ(trial.totals.size(), 1U);
  EXPECT_TRUE(trial.totals[0].balanced());
  EXPECT_EQ(trial.totals[0].debit, 10'000);
  const auto line = [&](std::string_view code) {
    return *std::ranges::find(trial.lines, code,
                              [](const TrialBalanceLine& each) { return each.subject.code; });
  };
  EXPECT_EQ(line("1002").debit, 10'000);
  EXPECT_EQ(line("2001").credit, 8'750);
  EXPECT_EQ(line("2001").accounts, 1);
  EXPECT_EQ(line("2002").credit, 1'250);
}

TEST(TrialBalance, ShowsAReversedBalanceOnTheOtherSide) {
  OpenBooks books;
  books.open_account(Book::merchant, "shop/2001", {.credit_line = 100});
  books.open_account(Book::merchant, "other/2002");
  ASSERT_TRUE(books.post(Book::merchant, pay("shop/2001", "other/2002", 70), "k1").accepted());
  const TrialBalance trial =
      books.in(Book::merchant, [&] { return books.ledger().trial_balance(); });
  EXPECT_TRUE(trial.totals[0].balanced());
  EXPECT_EQ(trial.totals[0].debit, 70);
}

TEST(BodyHash, FollowsEveryField) {
  const VoucherRequest request = pay("alice/2001", "shop/2002", 1);
  std::set<BodyHash> hashes{hash_body(request)};
  const auto differs = [&](auto change) {
    VoucherRequest other = request;
    change(other);
    return hashes.insert(hash_body(other)).second;
  };
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.kind = VoucherKind::credit; }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.memo = "memo"; }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.original = "memo"; }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.event_time = kNow; }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.legs[0] = debit("alice/2001", 2); }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.legs[0] = credit("alice/2001", 1); }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { r.legs[0] = debit("bob/2001", 1); }));
  EXPECT_TRUE(differs([](VoucherRequest& r) { std::swap(r.legs[0], r.legs[1]); }));
  EXPECT_FALSE(differs([](VoucherRequest& r) { r.key = "another"; }));
}

// Stored hashes must mean the same after an upgrade.
TEST(BodyHash, KeepsItsCanonicalForm) {
  VoucherRequest request = pay("alice/2001", "house/1002", 1250);
  request.memo = "memo";
  EXPECT_EQ(canonical_form(request),
            "16:carrel voucher 1\n3:pay\n0:\n4:memo\n0:\n10:alice/2001\n5:debit\n4:1250\n3:CNY\n"
            "10:house/1002\n6:credit\n4:1250\n3:CNY\n");
}

}  // namespace
}  // namespace carrel::ledger
