// One payment moves at most so much out of a consumer's account, by how well the consumer is known.
#pragma once

#include <cstdint>
#include <string_view>

#include "ledger/domain/rule.h"

namespace carrel::ledger {

struct PaymentCap {
  static constexpr std::string_view kName = "payment_cap";

  // Minor units of the payment's currency.
  std::int64_t tier_one_max = 1'000'00;
  std::int64_t tier_two_max = 20'000'00;
  std::int64_t tier_three_max = 50'000'00;

  [[nodiscard]] Verdict operator()(const PostingFacts& facts) const {
    if (facts.request.kind != VoucherKind::pay) return std::nullopt;
    for (const LegState& state : facts.legs) {
      if (!state.of_party() || !state.draws()) continue;
      const std::int64_t cap = cap_of(state.before.party.tier);
      if (state.leg.amount.minor() <= cap) continue;
      return refused("payment_cap_exceeded",
                     state.leg.account.to_string() + " may pay at most " +
                         Amount(cap, state.leg.amount.currency()).to_string() +
                         " at once, less than " + state.leg.amount.to_string());
    }
    return std::nullopt;
  }

  [[nodiscard]] std::int64_t cap_of(Tier tier) const noexcept {
    if (tier == Tier::one) return tier_one_max;
    return tier == Tier::two ? tier_two_max : tier_three_max;
  }

  template <class Visitor>
  void parameters(Visitor&& visit) {
    visit("tier_one_max", tier_one_max);
    visit("tier_two_max", tier_two_max);
    visit("tier_three_max", tier_three_max);
  }
};

}  // namespace carrel::ledger
