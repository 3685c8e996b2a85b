#include "ledger/domain/facts.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "ledger/domain/facts_of.h"

namespace carrel::ledger {
namespace {

using namespace testing;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

std::vector<Account> alice_and_shop(AccountSketch alice = {}, AccountSketch shop = {}) {
  alice.id = 1, alice.ref = "alice/2001";
  shop.id = 2, shop.ref = "shop/2002";
  return {account(Book::consumer, alice), account(Book::consumer, shop)};
}

TEST(StateLegs, MovesMoneyByTheNormalSide) {
  const auto states = state_legs(pay("alice/2001", "shop/2002", 30),
                                 alice_and_shop({.balance = 100}, {.balance = 5}));
  ASSERT_TRUE(states.accepted());
  EXPECT_TRUE(states.value()[0].draws());
  EXPECT_EQ(states.value()[0].balance_after, 70);
  EXPECT_FALSE(states.value()[1].draws());
  EXPECT_EQ(states.value()[1].balance_after, 35);
}

TEST(StateLegs, GrowsAssetsByDebits) {
  const std::vector accounts{account(Book::consumer, {.id = 1, .ref = "house/1002"}),
                             account(Book::consumer, {.id = 2, .ref = "alice/2001"})};
  const auto states = state_legs(
      voucher(VoucherKind::credit, {debit("house/1002", 7), credit("alice/2001", 7)}), accounts);
  ASSERT_TRUE(states.accepted());
  EXPECT_EQ(states.value()[0].balance_after, 7);
  EXPECT_FALSE(states.value()[0].of_party());
  EXPECT_EQ(states.value()[1].balance_after, 7);
}

TEST(StateLegs, RefusesWhatAnAccountsStatusStops) {
  struct Case {
    AccountStatus alice, shop;
    std::string code;
  };
  using enum AccountStatus;
  const std::vector<Case> cases{
      {frozen, active, "account_frozen"},   {active, frozen, "account_frozen"},
      {closed, active, "account_closed"},   {stop_out, active, "account_stop_out"},
      {active, stop_in, "account_stop_in"}, {stop_in, stop_out, ""}};
  for (const Case& each : cases) {
    const auto states = state_legs(pay("alice/2001", "shop/2002", 1),
                                   alice_and_shop({.status = each.alice}, {.status = each.shop}));
    EXPECT_EQ(states.accepted() ? "" : states.refusal().code, each.code);
  }
}

TEST(StateLegs, RefusesAnotherCurrency) {
  auto accounts = alice_and_shop();
  accounts[1].currency = *Currency::find("USD");
  const auto states = state_legs(pay("alice/2001", "shop/2002", 1), accounts);
  ASSERT_FALSE(states.accepted());
  EXPECT_EQ(states.refusal().code, "currency_mismatch");
}

TEST(StateLegs, RefusesOneAccountUnderTwoNames) {
  auto accounts = alice_and_shop();
  accounts[1] = accounts[0];
  const auto states = state_legs(pay("alice/2001", std::to_string(accounts[0].id), 1), accounts);
  ASSERT_FALSE(states.accepted());
  EXPECT_EQ(states.refusal().code, "account_repeated");
}

TEST(StateLegs, RefusesACreditThatDrawsOnAParty) {
  VoucherRequest request = pay("alice/2001", "shop/2002", 1);
  request.kind = VoucherKind::credit;
  const auto states = state_legs(request, alice_and_shop({.balance = 9}));
  ASSERT_FALSE(states.accepted());
  EXPECT_EQ(states.refusal().code, "credit_draws_on_party");
}

TEST(StateLegs, RefusesABalanceBeyond64Bits) {
  const auto states =
      state_legs(pay("alice/2001", "shop/2002", 2), alice_and_shop({}, {.balance = kMost - 1}));
  ASSERT_FALSE(states.accepted());
  EXPECT_EQ(states.refusal().code, "balance_overflow");
}

// Debit-normal balances minus credit-normal ones stay what they were, whatever is booked.
RC_GTEST_PROP(StateLegs, PreservesTheBalanceOfTheBook, ()) {
  const auto amounts = *rc::gen::nonEmpty<std::vector<std::int64_t>>(
      rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(1, 1'000'000)));
  const std::vector<std::string> subjects{"1002", "2001", "6021", "6421", "2002", "4001"};
  VoucherRequest request = voucher(VoucherKind::pay, {});
  std::vector<Account> accounts;
  std::int64_t total = 0;
  std::int64_t number = 0;
  const auto add = [&](Side side, std::int64_t minor) {
    const std::string ref = "p" + std::to_string(++number) + "/" + *rc::gen::elementOf(subjects);
    accounts.push_back(account(
        Book::consumer,
        {.id = number, .ref = ref, .balance = *rc::gen::inRange<std::int64_t>(-1'000, 1'000)}));
    request.legs.push_back({*AccountRef::parse(ref), side, cny(minor)});
  };
  for (const std::int64_t amount : amounts) {
    if (request.legs.size() + 1 == kLegsMax) break;
    add(Side::debit, amount);
    total += amount;
  }
  add(Side::credit, total);
  RC_ASSERT(validate(request) == std::nullopt);

  const auto states = state_legs(request, accounts);

  RC_ASSERT(states.accepted());
  std::int64_t before = 0;
  std::int64_t after = 0;
  for (const LegState& state : states.value()) {
    const int sign = state.before.subject.normal_side == Side::debit ? 1 : -1;
    before += sign * state.before.balance;
    after += sign * state.balance_after;
  }
  RC_ASSERT(before == after);
}

}  // namespace
}  // namespace carrel::ledger
