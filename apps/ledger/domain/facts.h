// PostingFacts: all that a rule may know of a voucher about to be booked.
//
// Built by state_legs() from the request and the accounts as loaded under the transaction; rules
// read it and change nothing.
//
// Threads: immutable once built. Lifetime: refers to the request; a rule keeps no reference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ledger/domain/account.h"
#include "ledger/domain/book.h"
#include "ledger/domain/outcome.h"
#include "ledger/domain/voucher.h"

namespace carrel::ledger {

// A leg with its account as it stands, and what the leg makes of it.
struct LegState {
  Leg leg;
  Account before;
  std::int64_t balance_after = 0;

  // Does the leg lower the account's balance?
  [[nodiscard]] bool draws() const noexcept { return leg.side != before.subject.normal_side; }
  // Is it a party's money, so that rules on balances apply?
  [[nodiscard]] bool of_party() const noexcept { return before.subject.use == SubjectUse::party; }
};

// One account of a payment and how much of its leg earlier refunds have taken back.
struct RefundedLeg {
  std::int64_t account_id = 0;
  Side side = Side::debit;  // in the payment; a refund books the opposite one
  std::int64_t amount = 0;
  std::int64_t refunded = 0;
};

// The payment that a refund names, with its counters.
struct OriginalPayment {
  Voucher voucher;
  std::vector<RefundedLeg> legs;
};

struct PostingFacts {
  Book book;
  const VoucherRequest& request;
  std::span<const LegState> legs;
  const OriginalPayment* original = nullptr;  // of a refund, if the book has it
  Timestamp received_at;
};

// The legs beside their accounts (one for each leg, in the same order), or why the accounts as they
// are cannot take them whatever the rules say: another currency, the same account twice under two
// names, a status that stops it, a credit that draws on a party's account, a balance beyond 64
// bits.
[[nodiscard]] Outcome<std::vector<LegState>> state_legs(const VoucherRequest& request,
                                                        std::span<const Account> accounts);

}  // namespace carrel::ledger
