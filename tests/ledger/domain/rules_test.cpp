#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "ledger/domain/facts_of.h"
#include "ledger/domain/rules/books.h"

namespace carrel::ledger {
namespace {

using namespace testing;
using namespace std::chrono_literals;

// The code with which a book's chain answers, "" for a pass; signed "rule code".
std::string ask(Book book, const VoucherRequest& request, const std::vector<Account>& accounts,
                const OriginalPayment* original = nullptr, const LedgerRules& rules = {}) {
  const auto states = state_legs(request, accounts);
  if (!states.accepted()) return states.refusal().code;
  const Verdict verdict = rules.chain(book).check({book, request, states.value(), original, kNow});
  return verdict ? verdict->rule + " " + verdict->code : "";
}

std::vector<Account> two(Book book, AccountSketch first, AccountSketch second = {}) {
  first.id = 1, first.ref = "alice/2001";
  second.id = 2, second.ref = "shop/2002";
  return {account(book, first), account(book, second)};
}

TEST(NoOverdraft, StopsAConsumerAtZero) {
  const auto ask_for = [](std::int64_t minor, AccountSketch alice) {
    return ask(Book::consumer, pay("alice/2001", "shop/2002", minor), two(Book::consumer, alice));
  };
  EXPECT_EQ(ask_for(100, {.balance = 100}), "");
  EXPECT_EQ(ask_for(101, {.balance = 100}), "consumer.no_overdraft insufficient_funds");
  EXPECT_EQ(ask_for(81, {.balance = 100, .frozen = 20}),
            "consumer.no_overdraft insufficient_funds");
  EXPECT_EQ(ask_for(80, {.balance = 100, .frozen = 20}), "");
}

TEST(NoOverdraft, LetsTheHouseGoBelowZero) {
  const std::vector accounts{account(Book::consumer, {.id = 1, .ref = "alice/2001"}),
                             account(Book::consumer, {.id = 2, .ref = "house/1002"})};
  EXPECT_EQ(ask(Book::consumer,
                voucher(VoucherKind::credit, {debit("house/1002", 5), credit("alice/2001", 5)}),
                {accounts[1], accounts[0]}),
            "");
}

TEST(PaymentCap, GrowsWithTheTier) {
  const auto ask_for = [](std::int64_t minor, Tier tier) {
    return ask(Book::consumer, pay("alice/2001", "shop/2002", minor),
               two(Book::consumer, {.balance = 9'000'000, .tier = tier}));
  };
  const std::string no = "consumer.payment_cap payment_cap_exceeded";
  EXPECT_EQ(ask_for(100'000, Tier::one), "");
  EXPECT_EQ(ask_for(100'001, Tier::one), no);
  EXPECT_EQ(ask_for(2'000'000, Tier::two), "");
  EXPECT_EQ(ask_for(2'000'001, Tier::two), no);
  EXPECT_EQ(ask_for(5'000'000, Tier::three), "");
  EXPECT_EQ(ask_for(5'000'001, Tier::three), no);
}

TEST(PaymentCap, FollowsItsParameters) {
  LedgerRules rules;
  rules.consumer.get<PaymentCap>().tier_two_max = 10;
  EXPECT_EQ(ask(Book::consumer, pay("alice/2001", "shop/2002", 11),
                two(Book::consumer, {.balance = 100}), nullptr, rules),
            "consumer.payment_cap payment_cap_exceeded");
}

TEST(PaymentCap, IsAConsumersRuleOnly) {
  EXPECT_EQ(ask(Book::merchant, pay("alice/2001", "shop/2002", 50'000'000),
                two(Book::merchant, {.balance = 50'000'000, .tier = Tier::one})),
            "");
}

TEST(CreditLine, LetsAMerchantBorrowThatFar) {
  const auto ask_for = [](std::int64_t minor, AccountSketch first) {
    return ask(Book::merchant, pay("alice/2001", "shop/2002", minor), two(Book::merchant, first));
  };
  EXPECT_EQ(ask_for(150, {.balance = 100, .credit_line = 50}), "");
  EXPECT_EQ(ask_for(151, {.balance = 100, .credit_line = 50}),
            "merchant.credit_line credit_line_exceeded");
  EXPECT_EQ(ask_for(141, {.balance = 100, .frozen = 10, .credit_line = 50}),
            "merchant.credit_line credit_line_exceeded");
  EXPECT_EQ(ask_for(1, {}), "merchant.credit_line credit_line_exceeded");
}

class Refund : public ::testing::TestWithParam<Book> {
 protected:
  // Alice paid the shop 100.
  [[nodiscard]] OriginalPayment payment() const {
    OriginalPayment original;
    original.voucher.key = "payment";
    original.voucher.amount = cny(100);
    original.voucher.event_time = kNow - std::chrono::days(1);
    original.legs = {{id(1), Side::debit, 100, 0}, {id(2), Side::credit, 100, 0}};
    return original;
  }
  [[nodiscard]] std::int64_t id(std::int64_t number) const {
    return number * 256 + tag_of(GetParam());
  }
  [[nodiscard]] std::string ask_for(std::int64_t minor, const OriginalPayment* original) const {
    auto accounts = two(GetParam(), {}, {.balance = 1'000});
    std::swap(accounts[0], accounts[1]);
    return ask(GetParam(), refund("shop/2002", "alice/2001", minor), accounts, original);
  }
  [[nodiscard]] std::string no(const std::string& code) const {
    return std::string(to_string(GetParam())) + ".refund_within_original " + code;
  }
};

TEST_P(Refund, PassesWithinItsPayment) {
  const OriginalPayment original = payment();
  EXPECT_EQ(ask_for(100, &original), "");
}

TEST_P(Refund, NeedsItsPayment) {
  EXPECT_EQ(ask_for(1, nullptr), no("original_not_found"));
}

TEST_P(Refund, StopsAtWhatEarlierOnesLeft) {
  OriginalPayment original = payment();
  for (RefundedLeg& leg : original.legs) leg.refunded = 70;
  EXPECT_EQ(ask_for(30, &original), "");
  EXPECT_EQ(ask_for(31, &original), no("refund_exceeds_original"));
}

TEST_P(Refund, MirrorsItsPayment) {
  OriginalPayment original = payment();
  std::swap(original.legs[0].side, original.legs[1].side);
  EXPECT_EQ(ask_for(1, &original), no("refund_not_mirrored"));
  original = payment();
  original.legs[1].account_id = id(3);
  EXPECT_EQ(ask_for(1, &original), no("refund_not_mirrored"));
}

TEST_P(Refund, TakesBackPaymentsOnly) {
  OriginalPayment original = payment();
  original.voucher.kind = VoucherKind::refund;
  EXPECT_EQ(ask_for(1, &original), no("original_not_a_payment"));
}

TEST_P(Refund, IsCounted) {
  OriginalPayment original = payment();
  original.voucher.refund_count = 49;
  EXPECT_EQ(ask_for(1, &original), "");
  original.voucher.refund_count = 50;
  EXPECT_EQ(ask_for(1, &original), no("refunds_exhausted"));
}

TEST_P(Refund, HasAYear) {
  OriginalPayment original = payment();
  original.voucher.event_time = kNow - std::chrono::days(365);
  EXPECT_EQ(ask_for(1, &original), "");
  original.voucher.event_time -= 1us;
  EXPECT_EQ(ask_for(1, &original), no("refund_window_closed"));
}

INSTANTIATE_TEST_SUITE_P(BothBooks, Refund, ::testing::ValuesIn(kBooks),
                         [](const auto& each) { return std::string(to_string(each.param)); });

TEST(RuleChain, TellsEveryRefusalInADryRun) {
  const VoucherRequest request = pay("alice/2001", "shop/2002", 3'000'000);
  const auto states = state_legs(request, two(Book::consumer, {.balance = 1}));
  const auto refusals = LedgerRules()
                            .chain(Book::consumer)
                            .check_all({Book::consumer, request, states.value(), nullptr, kNow});
  ASSERT_EQ(refusals.size(), 2U);
  EXPECT_EQ(refusals[0].rule, "consumer.payment_cap");
  EXPECT_EQ(refusals[1].rule, "consumer.no_overdraft");
}

TEST(RuleSet, ShowsEveryParameterByName) {
  LedgerRules rules;
  std::map<std::string, std::int64_t> parameters;
  rules.consumer.for_each([&](auto& rule) {
    rule.parameters([&](std::string_view name, std::int64_t& value) {
      parameters[std::string(rule.kName) + "." + std::string(name)] = value;
    });
  });
  EXPECT_EQ(parameters["payment_cap.tier_one_max"], 100'000);
  EXPECT_EQ(parameters["refund_within_original.refunds_max"], 50);
}

// Whatever a rule lets through leaves a consumer's account at or above zero.
RC_GTEST_PROP(NoOverdraft, NeverLetsABalanceFallBelowZero,
              (std::uint32_t balance, std::uint32_t minor)) {
  RC_PRE(minor > 0U);
  const VoucherRequest request = pay("alice/2001", "shop/2002", minor);
  const auto states = state_legs(request, two(Book::consumer, {.balance = balance}));
  const Verdict no = NoOverdraft{}({Book::consumer, request, states.value(), nullptr, kNow});
  RC_ASSERT(no.has_value() == (states.value()[0].balance_after < 0));
}

}  // namespace
}  // namespace carrel::ledger
