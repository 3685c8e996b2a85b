// The rules of each book, in the order in which they are asked. A new rule is a file beside this
// one and its name in one of these lines.
#pragma once

#include "ledger/domain/book.h"
#include "ledger/domain/rules/credit_line.h"
#include "ledger/domain/rules/no_overdraft.h"
#include "ledger/domain/rules/payment_cap.h"
#include "ledger/domain/rules/refund_within_original.h"

namespace carrel::ledger {

using ConsumerRules = RuleSet<RefundWithinOriginal, PaymentCap, NoOverdraft>;
using MerchantRules = RuleSet<RefundWithinOriginal, CreditLine>;

// The parameters of all rules; the defaults are the ones documented with each rule.
struct LedgerRules {
  ConsumerRules consumer;
  MerchantRules merchant;

  [[nodiscard]] RuleChain chain(Book book) const {
    return book == Book::consumer ? consumer.chain(to_string(book))
                                  : merchant.chain(to_string(book));
  }
};

}  // namespace carrel::ledger
