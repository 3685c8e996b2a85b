// A refund goes back the way its payment came, and all refunds together never exceed it: neither
// in sum, nor on any account of it, nor in number, nor in time.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ledger/domain/rule.h"

namespace carrel::ledger {

struct RefundWithinOriginal {
  static constexpr std::string_view kName = "refund_within_original";

  std::int64_t refunds_max = 50;
  std::int64_t window_days = 365;

  [[nodiscard]] Verdict operator()(const PostingFacts& facts) const {
    if (facts.request.kind != VoucherKind::refund) return std::nullopt;
    if (facts.original == nullptr)
      return refused("original_not_found",
                     "there is no payment with the key '" + facts.request.original + "'");
    const Voucher& payment = facts.original->voucher;
    if (payment.kind != VoucherKind::pay)
      return refused("original_not_a_payment",
                     "'" + payment.key + "' is a " + std::string(to_string(payment.kind)));
    if (facts.received_at - payment.event_time > std::chrono::days(window_days))
      return refused("refund_window_closed", "'" + payment.key + "' was paid more than " +
                                                 std::to_string(window_days) + " days ago");
    if (payment.refund_count >= refunds_max)
      return refused("refunds_exhausted", "'" + payment.key + "' has been refunded " +
                                              std::to_string(payment.refund_count) +
                                              " times already");
    for (const LegState& state : facts.legs)
      if (Verdict no = check_leg(state, *facts.original)) return no;
    return std::nullopt;
  }

  template <class Visitor>
  void parameters(Visitor&& visit) {
    visit("refunds_max", refunds_max);
    visit("window_days", window_days);
  }

 private:
  // Since every leg stays within its own counterpart, the sum stays within the payment.
  [[nodiscard]] static Verdict check_leg(const LegState& state, const OriginalPayment& original) {
    for (const RefundedLeg& paid : original.legs) {
      if (paid.account_id != state.before.id || paid.side != opposite(state.leg.side)) continue;
      const std::int64_t left = paid.amount - paid.refunded;
      if (state.leg.amount.currency() == original.voucher.amount.currency() &&
          state.leg.amount.minor() <= left)
        return std::nullopt;
      return refused("refund_exceeds_original",
                     "of '" + original.voucher.key + "' " +
                         Amount(left, original.voucher.amount.currency()).to_string() +
                         " is left to refund on " + state.leg.account.to_string() + ", less than " +
                         state.leg.amount.to_string());
    }
    return refused(
        "refund_not_mirrored",
        state.leg.account.to_string() + " has no opposite leg in '" + original.voucher.key + "'");
  }
};

}  // namespace carrel::ledger
