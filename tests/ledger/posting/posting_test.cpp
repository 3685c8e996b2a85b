#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "ledger/open_books.h"

namespace carrel::ledger {
namespace {

using namespace testing;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

class Posting : public ::testing::Test {
 protected:
  Posting() {
    for (const Book book : kBooks) {
      books_.open_account(book, "alice/2001");
      books_.open_account(book, "shop/2002");
      EXPECT_TRUE(books_.top_up(book, "alice/2001", 10'000, "start").accepted());
    }
  }
  ~Posting() override {
    for (const Book book : kBooks) EXPECT_EQ(text(books_.check(book)), "");
  }

  Outcome<PostedVoucher> pay_shop(std::int64_t minor, const std::string& key) {
    return books_.post(Book::consumer, pay("alice/2001", "shop/2002", minor), key);
  }
  Outcome<PostedVoucher> refund_alice(std::int64_t minor, const std::string& original,
                                      const std::string& key) {
    VoucherRequest request = refund("shop/2002", "alice/2001", minor);
    request.original = original;
    return books_.post(Book::consumer, request, key);
  }
  [[nodiscard]] std::int64_t alice() { return books_.balance(Book::consumer, "alice/2001"); }
  [[nodiscard]] std::int64_t shop() { return books_.balance(Book::consumer, "shop/2002"); }

  OpenBooks books_;
};

std::string code(const Outcome<PostedVoucher>& outcome) {
  return outcome.accepted() ? "" : outcome.refusal().code;
}

TEST_F(Posting, MovesMoneyAndAnswersWithTheEntries) {
  const auto posted = pay_shop(1'250, "k1");
  ASSERT_TRUE(posted.accepted());
  EXPECT_FALSE(posted->replayed);
  const Voucher& voucher = posted->voucher;
  EXPECT_EQ(voucher.key, "k1");
  EXPECT_EQ(voucher.kind, VoucherKind::pay);
  EXPECT_EQ(voucher.amount, cny(1'250));
  EXPECT_EQ(voucher.accounting_date, 20260101);
  ASSERT_EQ(voucher.entries.size(), 2U);
  EXPECT_EQ(voucher.entries[0].balance_after, 8'750);
  EXPECT_EQ(voucher.entries[0].version, 2);
  EXPECT_TRUE(voucher.entries[0].previous_entry);
  EXPECT_EQ(voucher.entries[1].balance_after, 1'250);
  EXPECT_FALSE(voucher.entries[1].previous_entry);
  EXPECT_EQ(alice(), 8'750);
  EXPECT_EQ(shop(), 1'250);
}

TEST_F(Posting, CanBeReadBack) {
  const Voucher voucher = pay_shop(1'250, "k1")->voucher;
  books_.in(Book::consumer, [&] {
    EXPECT_EQ(books_.ledger().find_voucher(voucher.id).value(), voucher);
    EXPECT_EQ(books_.ledger().find_voucher_by_key("k1").value(), voucher);
    EXPECT_EQ(books_.ledger().find_voucher(voucher.id + 256).refusal().code, "voucher_not_found");
    EXPECT_EQ(books_.ledger().find_voucher_by_key("k2").refusal().code, "voucher_not_found");
  });
  books_.in(Book::merchant, [&] {
    EXPECT_FALSE(books_.ledger().find_voucher(voucher.id).accepted());
    EXPECT_FALSE(books_.ledger().find_voucher_by_key("k1").accepted());
  });
}

TEST_F(Posting, KeepsTheBooksApart) {
  ASSERT_TRUE(pay_shop(1'250, "k1").accepted());
  EXPECT_EQ(books_.balance(Book::merchant, "alice/2001"), 10'000);
  const auto other = books_.post(Book::merchant, pay("alice/2001", "shop/2002", 1), "k1");
  ASSERT_TRUE(other.accepted());
  EXPECT_FALSE(other->replayed);
  EXPECT_EQ(book_of(other->voucher.id), Book::merchant);
}

TEST_F(Posting, NamesAnAccountByItsIdToo) {
  const Account account = books_.in(Book::consumer, [&] {
    return books_.ledger().find_account({.ref = *AccountRef::parse("alice/2001")}).value();
  });
  EXPECT_TRUE(books_.post(Book::consumer, pay(std::to_string(account.id), "shop/2002", 1), "k1")
                  .accepted());
  EXPECT_EQ(
      code(books_.post(Book::merchant, pay(std::to_string(account.id), "shop/2002", 1), "k1")),
      "account_not_found");
  EXPECT_EQ(
      code(books_.post(Book::consumer, pay("alice/2001", std::to_string(account.id), 1), "k2")),
      "account_repeated");
}

TEST_F(Posting, TakesManyLegs) {
  for (int i = 0; i < 98; ++i)
    books_.open_account(Book::consumer, "s" + std::to_string(i) + "/2002");
  VoucherRequest split = voucher(VoucherKind::pay, {debit("alice/2001", 99)});
  split.legs.push_back(credit("shop/2002", 1));
  for (int i = 0; i < 98; ++i) split.legs.push_back(credit("s" + std::to_string(i) + "/2002", 1));
  const auto posted = books_.post(Book::consumer, split, "split");
  ASSERT_TRUE(posted.accepted());
  EXPECT_EQ(posted->voucher.entries.size(), 100U);
  EXPECT_EQ(alice(), 9'901);
  EXPECT_EQ(books_.balance(Book::consumer, "s97/2002"), 1);
}

TEST_F(Posting, AnswersARepeatedRequestAsItDidThen) {
  const auto first = pay_shop(1'250, "k1");
  ASSERT_TRUE(refund_alice(300, "k1", "k2").accepted());
  const auto again = pay_shop(1'250, "k1");
  ASSERT_TRUE(again.accepted());
  EXPECT_TRUE(again->replayed);
  EXPECT_EQ(again->voucher, first->voucher);
  EXPECT_EQ(alice(), 9'050);
}

TEST_F(Posting, RefusesAKeyWithAnotherBody) {
  ASSERT_TRUE(pay_shop(1'250, "k1").accepted());
  const auto other = pay_shop(1'251, "k1");
  ASSERT_FALSE(other.accepted());
  EXPECT_EQ(other.refusal().kind, RefusalKind::conflict);
  EXPECT_EQ(other.refusal().code, "key_reused");
  EXPECT_EQ(shop(), 1'250);
}

TEST_F(Posting, LetsARefusedRequestTryAgain) {
  const auto refused = pay_shop(10'001, "k1");
  ASSERT_FALSE(refused.accepted());
  EXPECT_EQ(refused.refusal().kind, RefusalKind::business);
  EXPECT_EQ(refused.refusal().rule, "consumer.no_overdraft");
  EXPECT_EQ(alice(), 10'000);
  ASSERT_TRUE(books_.top_up(Book::consumer, "alice/2001", 1, "more").accepted());
  const auto accepted = pay_shop(10'001, "k1");
  ASSERT_TRUE(accepted.accepted());
  EXPECT_FALSE(accepted->replayed);
}

TEST_F(Posting, RefusesWithoutATrace) {
  const std::int64_t vouchers = books_.count(Book::consumer, "voucher");
  EXPECT_EQ(code(pay_shop(0, "k1")), "amount_not_positive");
  EXPECT_EQ(code(pay_shop(10'001, "k1")), "insufficient_funds");
  EXPECT_EQ(code(books_.post(Book::consumer, pay("alice/2001", "nobody/2002", 1), "k1")),
            "account_not_found");
  EXPECT_EQ(code(books_.post(Book::consumer, pay("alice/2001", "257", 1), "k1")),
            "account_not_found");
  EXPECT_EQ(code(refund_alice(1, "nothing", "k1")), "original_not_found");
  for (const char* slot : {"voucher", "idempotency"})
    EXPECT_EQ(books_.count(Book::consumer, slot), vouchers) << slot;
  EXPECT_EQ(books_.count(Book::consumer, "entry"), 2 * vouchers);
  EXPECT_EQ(alice(), 10'000);
}

TEST_F(Posting, RefusesABalanceBeyond64Bits) {
  books_.open_account(Book::consumer, "rich/2001");
  books_.open_account(Book::consumer, "bob/2002");
  ASSERT_TRUE(books_
                  .post(Book::consumer,
                        voucher(VoucherKind::credit,
                                {debit("house/1001", kMost - 5), credit("rich/2001", kMost - 5)}),
                        "k1")
                  .accepted());
  EXPECT_EQ(code(books_.top_up(Book::consumer, "rich/2001", 6, "k2")), "balance_overflow");
  EXPECT_EQ(books_.balance(Book::consumer, "rich/2001"), kMost - 5);
}

TEST_F(Posting, FollowsTheRulesOfItsBook) {
  EXPECT_EQ(
      books_.post(Book::merchant, pay("alice/2001", "shop/2002", 10'001), "k1").refusal().rule,
      "merchant.credit_line");
  books_.open_account(Book::merchant, "broker/2001", {.credit_line = 500});
  EXPECT_TRUE(books_.post(Book::merchant, pay("broker/2001", "shop/2002", 500), "k2").accepted());
  EXPECT_EQ(code(books_.post(Book::merchant, pay("broker/2001", "shop/2002", 1), "k3")),
            "credit_line_exceeded");

  books_.open_account(Book::consumer, "novice/2001", {.tier = Tier::one});
  ASSERT_TRUE(books_.top_up(Book::consumer, "novice/2001", 200'000, "k4").accepted());
  EXPECT_EQ(
      books_.post(Book::consumer, pay("novice/2001", "shop/2002", 100'001), "k5").refusal().rule,
      "consumer.payment_cap");
}

TEST_F(Posting, RefundsNoMoreThanWasPaid) {
  ASSERT_TRUE(pay_shop(1'000, "paid").accepted());
  ASSERT_TRUE(pay_shop(5'000, "other").accepted());
  EXPECT_TRUE(refund_alice(700, "paid", "r1").accepted());
  EXPECT_EQ(code(refund_alice(301, "paid", "r2")), "refund_exceeds_original");
  EXPECT_TRUE(refund_alice(300, "paid", "r2").accepted());
  EXPECT_EQ(code(refund_alice(1, "paid", "r3")), "refund_exceeds_original");
  const Voucher paid = books_.in(
      Book::consumer, [&] { return books_.ledger().find_voucher_by_key("paid").value(); });
  EXPECT_EQ(paid.refunded, 1'000);
  EXPECT_EQ(paid.refund_count, 2);
  EXPECT_EQ(alice(), 5'000);
}

TEST_F(Posting, RefundsAtMostFiftyTimes) {
  ASSERT_TRUE(pay_shop(1'000, "paid").accepted());
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(refund_alice(1, "paid", "r" + std::to_string(i)).accepted()) << i;
  EXPECT_EQ(code(refund_alice(1, "paid", "r50")), "refunds_exhausted");
}

TEST_F(Posting, RefundsForAYear) {
  ASSERT_TRUE(pay_shop(1'000, "paid").accepted());
  books_.clock().advance(std::chrono::days(365));
  EXPECT_TRUE(refund_alice(1, "paid", "r1").accepted());
  books_.clock().advance(std::chrono::microseconds(1));
  EXPECT_EQ(code(refund_alice(1, "paid", "r2")), "refund_window_closed");
}

TEST_F(Posting, RefundsEachReceiverOnItsOwnLegOnly) {
  books_.open_account(Book::consumer, "carrier/2002");
  ASSERT_TRUE(
      books_
          .post(Book::consumer,
                voucher(VoucherKind::pay, {debit("alice/2001", 100), credit("shop/2002", 60),
                                           credit("carrier/2002", 40)}),
                "paid")
          .accepted());
  ASSERT_TRUE(pay_shop(1'000, "more").accepted());
  EXPECT_TRUE(refund_alice(50, "paid", "r1").accepted());
  EXPECT_EQ(code(refund_alice(11, "paid", "r2")), "refund_exceeds_original");
  EXPECT_TRUE(refund_alice(10, "paid", "r2").accepted());
  VoucherRequest rest = refund("carrier/2002", "alice/2001", 40);
  rest.original = "paid";
  EXPECT_TRUE(books_.post(Book::consumer, rest, "r3").accepted());
  EXPECT_EQ(alice(), 9'000);
}

TEST_F(Posting, RefundsToWhoPaidOnly) {
  books_.open_account(Book::consumer, "mallory/2001");
  ASSERT_TRUE(pay_shop(1'000, "paid").accepted());
  VoucherRequest astray = refund("shop/2002", "mallory/2001", 1);
  astray.original = "paid";
  EXPECT_EQ(code(books_.post(Book::consumer, astray, "r1")), "refund_not_mirrored");
  EXPECT_EQ(code(refund_alice(1, "start", "r2")), "original_not_a_payment");
}

TEST_F(Posting, LeavesNothingBehindWhenAnyTableFails) {
  struct Fault {
    const char* when;
    const char* slot;
  };
  const auto rows = [&] {
    std::vector<std::int64_t> counts;
    for (const char* slot : {"party", "account", "voucher", "entry", "idempotency"})
      counts.push_back(books_.count(Book::consumer, slot));
    return counts;
  };
  ASSERT_TRUE(pay_shop(1'000, "paid").accepted());
  const auto before = rows();
  for (const Fault fault :
       {Fault{"insert", "voucher"}, Fault{"insert", "entry"}, Fault{"insert", "idempotency"},
        Fault{"update", "voucher"}, Fault{"update", "account"}}) {
    const auto run = [&](const std::string& sql) {
      books_.in(Book::consumer, [&] { books_.store().session().execute(sql); });
    };
    run("create trigger fault before " + std::string(fault.when) + " on {" + fault.slot +
        "} begin select raise(abort, 'fault'); end");
    EXPECT_THROW((void)refund_alice(10, "paid", "k1"), SqlError) << fault.when << fault.slot;
    run("drop trigger fault");
    EXPECT_EQ(rows(), before) << fault.when << fault.slot;
    EXPECT_EQ(alice(), 9'000) << fault.when << fault.slot;
    EXPECT_EQ(text(books_.check(Book::consumer)), "") << fault.when << fault.slot;
  }
  EXPECT_TRUE(refund_alice(10, "paid", "k1").accepted());
}

TEST_F(Posting, LeavesNothingBehindWhenARuleThrows) {
  const RuleChain rules({{"consumer.broken", [](const PostingFacts&) -> Verdict {
                            throw std::runtime_error("a rule broke");
                          }}});
  VoucherRequest request = pay("alice/2001", "shop/2002", 1);
  const auto prepared = Poster::prepare(request);
  books_.in(Book::consumer, [&] {
    Poster poster(books_.store().session(), books_.store().ids());
    EXPECT_THROW((void)poster.post(prepared.value(), {Book::consumer, rules, kNow}),
                 std::runtime_error);
    EXPECT_FALSE(books_.store().session().in_transaction());
  });
  EXPECT_EQ(alice(), 10'000);
}

TEST_F(Posting, LeavesNothingBehindWhenItsCallerThrows) {
  books_.in(Book::consumer, [&] {
    VoucherRequest request = pay("alice/2001", "shop/2002", 1);
    EXPECT_THROW(books_.store().session().transaction([&] {
      EXPECT_TRUE(books_.ledger().post_voucher(request).accepted());
      throw std::runtime_error("the caller broke");
    }),
                 std::runtime_error);
  });
  EXPECT_EQ(alice(), 10'000);
  EXPECT_EQ(books_.count(Book::consumer, "voucher"), 1);
}

}  // namespace
}  // namespace carrel::ledger
