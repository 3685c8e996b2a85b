#include "ledger/domain/voucher.h"

#include <gtest/gtest.h>

#include <limits>

#include "ledger/domain/facts_of.h"

namespace carrel::ledger {
namespace {

using namespace testing;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

VoucherRequest good() {
  return pay("alice/2001", "shop/2002", 1250);
}

TEST(Validate, PassesABalancedVoucher) {
  EXPECT_EQ(validate(good()), std::nullopt);
  EXPECT_EQ(validate(refund("shop/2002", "alice/2001", 300)), std::nullopt);
  EXPECT_EQ(validate(voucher(VoucherKind::pay,
                             {debit("a/2001", 3), credit("b/2002", 1), credit("c/2002", 2)})),
            std::nullopt);
}

struct Mistake {
  std::string code;
  void (*make)(VoucherRequest&);
};

TEST(Validate, NamesEachMistake) {
  const std::vector<Mistake> mistakes{
      {"bad_key", [](VoucherRequest& r) { r.key = ""; }},
      {"bad_key", [](VoucherRequest& r) { r.key = "a b"; }},
      {"bad_key", [](VoucherRequest& r) { r.key = std::string(kKeyBytesMax + 1, 'k'); }},
      {"bad_key", [](VoucherRequest& r) { r.key = "k\n"; }},
      {"memo_too_long", [](VoucherRequest& r) { r.memo = std::string(kMemoBytesMax + 1, 'm'); }},
      {"bad_text", [](VoucherRequest& r) { r.memo = "\xff"; }},
      {"bad_text", [](VoucherRequest& r) { r.memo = "\xed\xa0\x80"; }},
      {"bad_text", [](VoucherRequest& r) { r.memo = "\xc0\xaf"; }},
      {"bad_text", [](VoucherRequest& r) { r.memo = std::string("a\0b", 3); }},
      {"bad_text", [](VoucherRequest& r) { r.memo = "\xe4\xb8"; }},
      {"original_missing", [](VoucherRequest& r) { r.kind = VoucherKind::refund; }},
      {"original_unexpected", [](VoucherRequest& r) { r.original = "other"; }},
      {"bad_event_time", [](VoucherRequest& r) { r.event_time = Timestamp::max(); }},
      {"bad_event_time", [](VoucherRequest& r) { r.event_time = Timestamp::min(); }},
      {"too_few_legs", [](VoucherRequest& r) { r.legs.clear(); }},
      {"too_few_legs", [](VoucherRequest& r) { r.legs.pop_back(); }},
      {"too_many_legs",
       [](VoucherRequest& r) {
         for (std::size_t i = 1; i <= kLegsMax; ++i) r.legs.push_back(credit(std::to_string(i), 1));
       }},
      {"account_repeated", [](VoucherRequest& r) { r.legs.push_back(credit("shop/2002", 1)); }},
      {"amount_not_positive", [](VoucherRequest& r) { r.legs[0] = debit("alice/2001", 0); }},
      {"amount_not_positive", [](VoucherRequest& r) { r.legs[0] = debit("alice/2001", -1250); }},
      {"unbalanced", [](VoucherRequest& r) { r.legs[0] = debit("alice/2001", 1251); }},
      {"unbalanced", [](VoucherRequest& r) { r.legs[0] = credit("alice/2001", 1250); }},
      {"unbalanced",
       [](VoucherRequest& r) { r.legs[0].amount = Amount(1250, *Currency::find("USD")); }},
      {"several_currencies",
       [](VoucherRequest& r) {
         const Amount usd(1, *Currency::find("USD"));
         r.legs.push_back({*AccountRef::parse("a/2001"), Side::debit, usd});
         r.legs.push_back({*AccountRef::parse("b/2001"), Side::credit, usd});
       }},
      {"amount_overflow",
       [](VoucherRequest& r) {
         r.legs = {debit("a/2001", kMost), debit("b/2001", 1), credit("c/2001", 1)};
       }},
  };
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    VoucherRequest request = good();
    mistakes[i].make(request);
    const auto no = validate(request);
    ASSERT_TRUE(no) << i << " " << mistakes[i].code;
    EXPECT_EQ(no->code, mistakes[i].code) << i;
    EXPECT_EQ(no->kind, RefusalKind::malformed) << i;
  }
}

TEST(Validate, LetsAMemoSpeakAnyLanguage) {
  VoucherRequest request = good();
  request.memo = "早餐 déjeuner 🍜";
  EXPECT_EQ(validate(request), std::nullopt);
}

TEST(AccountingDate, IsTheDayInUtc) {
  using namespace std::chrono;
  EXPECT_EQ(accounting_date(sys_days(year{2026} / 1 / 31)), 20260131);
  EXPECT_EQ(accounting_date(sys_days(year{2026} / 3 / 1) - microseconds(1)), 20260228);
  EXPECT_EQ(accounting_date(sys_days(year{1970} / 1 / 1)), 19700101);
}

TEST(Entry, StandsRightBehindItsVoucher) {
  EXPECT_EQ(entry_id(1024 + 1, 1), 1280 + 1);
  EXPECT_EQ(book_of(entry_id(1024 + 2, 100)), Book::merchant);
}

}  // namespace
}  // namespace carrel::ledger
