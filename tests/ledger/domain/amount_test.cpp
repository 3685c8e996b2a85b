#include "ledger/domain/amount.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace carrel::ledger {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Amount of(std::int64_t minor, std::string_view currency = "CNY") {
  return {minor, *Currency::find(currency)};
}

TEST(Currency, IsFoundByItsExactCodeOnly) {
  ASSERT_TRUE(Currency::find("CNY"));
  EXPECT_EQ(Currency::find("CNY"), Currency::cny());
  EXPECT_EQ(Currency::find("JPY")->scale(), 0);
  EXPECT_EQ(Currency::find("KWD")->scale(), 3);
  for (const std::string_view code : {"", "cny", "CN", "CNYX", "AAA", "ZZZ", "XXX"})
    EXPECT_FALSE(Currency::find(code)) << code;
}

TEST(Amount, ShowsItsCurrencysPoint) {
  EXPECT_EQ(of(1250).to_string(), "12.50 CNY");
  EXPECT_EQ(of(5).to_string(), "0.05 CNY");
  EXPECT_EQ(of(0).to_string(), "0.00 CNY");
  EXPECT_EQ(of(-5).to_string(), "-0.05 CNY");
  EXPECT_EQ(of(1250, "JPY").to_string(), "1250 JPY");
  EXPECT_EQ(of(1, "KWD").to_string(), "0.001 KWD");
  EXPECT_EQ(of(kLeast).to_string(), "-92233720368547758.08 CNY");
}

TEST(Amount, NeverWraps) {
  EXPECT_EQ(of(1) + of(2), of(3));
  EXPECT_EQ(of(1) - of(2), of(-1));
  EXPECT_FALSE(of(kMost) + of(1));
  EXPECT_FALSE(of(kLeast) - of(1));
  EXPECT_FALSE(of(1) + of(1, "USD"));
}

TEST(MinorUnits, AreReadFromPlainDecimalsOnly) {
  EXPECT_EQ(parse_minor_units("0"), 0);
  EXPECT_EQ(parse_minor_units("1250"), 1250);
  EXPECT_EQ(parse_minor_units("-7"), -7);
  EXPECT_EQ(parse_minor_units("9223372036854775807"), kMost);
  EXPECT_EQ(parse_minor_units("-9223372036854775808"), kLeast);
  for (const std::string_view text : {"", "-", "+1", " 1", "1 ", "01", "-0", "1.0", "1e3", "0x1",
                                      "9223372036854775808", "-9223372036854775809", "--1", "１"})
    EXPECT_FALSE(parse_minor_units(text)) << text;
}

RC_GTEST_PROP(MinorUnits, ReadBackWhatWasWritten, (std::int64_t minor)) {
  RC_ASSERT(parse_minor_units(std::to_string(minor)) == minor);
}

RC_GTEST_PROP(Amount, AddsAndSubtractsBackOrOverflows, (std::int64_t left, std::int64_t right)) {
  const auto sum = of(left) + of(right);
  if (sum)
    RC_ASSERT(*sum - of(right) == of(left));
  else
    RC_ASSERT((left > 0) == (right > 0));
}

}  // namespace
}  // namespace carrel::ledger
