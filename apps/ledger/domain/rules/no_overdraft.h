// A consumer cannot spend what is not there: no party's account may be drawn below zero.
#pragma once

#include <string_view>

#include "ledger/domain/rule.h"

namespace carrel::ledger {

struct NoOverdraft {
  static constexpr std::string_view kName = "no_overdraft";

  [[nodiscard]] Verdict operator()(const PostingFacts& facts) const {
    for (const LegState& state : facts.legs) {
      if (!state.of_party() || !state.draws()) continue;
      if (state.balance_after >= state.before.frozen) continue;
      const Currency currency = state.leg.amount.currency();
      return refused("insufficient_funds",
                     state.leg.account.to_string() + " has " +
                         Amount(state.before.available(), currency).to_string() +
                         " available, less than " + state.leg.amount.to_string());
    }
    return std::nullopt;
  }

  template <class Visitor>
  void parameters(Visitor&&) {}
};

}  // namespace carrel::ledger
