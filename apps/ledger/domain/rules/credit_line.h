// A merchant may be drawn below zero as far as its account's credit line, and no farther.
#pragma once

#include <string_view>

#include "ledger/domain/rule.h"

namespace carrel::ledger {

struct CreditLine {
  static constexpr std::string_view kName = "credit_line";

  [[nodiscard]] Verdict operator()(const PostingFacts& facts) const {
    for (const LegState& state : facts.legs) {
      if (!state.of_party() || !state.draws()) continue;
      const auto left = checked_subtract(state.balance_after, state.before.frozen);
      if (left && *left >= -state.before.credit_line) continue;
      const Currency currency = state.leg.amount.currency();
      return refused("credit_line_exceeded",
                     state.leg.account.to_string() + " has " +
                         Amount(state.before.available(), currency).to_string() +
                         " available and a credit line of " +
                         Amount(state.before.credit_line, currency).to_string() + ", less than " +
                         state.leg.amount.to_string());
    }
    return std::nullopt;
  }

  template <class Visitor>
  void parameters(Visitor&&) {}
};

}  // namespace carrel::ledger
