#include "ledger/domain/account.h"

#include <gtest/gtest.h>

#include "ledger/domain/book.h"

namespace carrel::ledger {
namespace {

TEST(Book, IsNamedByEveryIdOfIt) {
  EXPECT_EQ(book_of(256 + 1), Book::consumer);
  EXPECT_EQ(book_of(256 + 2), Book::merchant);
  EXPECT_EQ(book_of(256), std::nullopt);
  EXPECT_EQ(book_of(256 + 3), std::nullopt);
  EXPECT_EQ(book_of(-255), std::nullopt);
}

TEST(Book, HasNoDefault) {
  EXPECT_EQ(parse_book("consumer"), Book::consumer);
  EXPECT_EQ(parse_book("merchant"), Book::merchant);
  for (const std::string_view name : {"", "Consumer", "consumers", "both"})
    EXPECT_FALSE(parse_book(name)) << name;
}

TEST(AccountRef, IsAnIdOrPartyAndSubject) {
  EXPECT_EQ(AccountRef::parse("123")->id(), 123);
  const auto ref = AccountRef::parse("alice/2001");
  ASSERT_TRUE(ref);
  EXPECT_FALSE(ref->id());
  EXPECT_EQ(ref->party(), "alice");
  EXPECT_EQ(ref->subject(), "2001");
  EXPECT_EQ(ref->to_string(), "alice/2001");
  EXPECT_EQ(AccountRef::of(123), AccountRef::parse("123"));
}

TEST(AccountRef, IsNothingElse) {
  for (const std::string_view text :
       {"", "0", "-1", "0123", "alice", "/2001", "alice/", "alice/20x1", "alice/2001/1", "a b/2001",
        "99999999999999999999", "ålice/2001", "alice/1234567890123"})
    EXPECT_FALSE(AccountRef::parse(text)) << text;
}

TEST(Chart, GivesEverySubjectItsNormalSide) {
  for (const Book book : kBooks) {
    const ChartOfAccounts chart = ChartOfAccounts::standard(book);
    ASSERT_NE(chart.find("1002"), nullptr);
    EXPECT_EQ(chart.find("1002")->normal_side, Side::debit);
    EXPECT_EQ(chart.find("1002")->use, SubjectUse::house);
    for (const std::string_view code : {"2001", "2002"}) {
      ASSERT_NE(chart.find(code), nullptr);
      EXPECT_EQ(chart.find(code)->normal_side, Side::credit);
      EXPECT_EQ(chart.find(code)->use, SubjectUse::party);
    }
    EXPECT_EQ(chart.find("9999"), nullptr);
    EXPECT_EQ(chart.find(""), nullptr);
  }
}

TEST(ChartDeathTest, RefusesASubjectGivenTwice) {
  EXPECT_DEATH(ChartOfAccounts({Subject{.code = "1001"}, Subject{.code = "1001"}}),
               "in the chart twice");
}

}  // namespace
}  // namespace carrel::ledger
