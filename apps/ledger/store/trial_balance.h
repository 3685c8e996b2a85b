// TrialBalance: every subject of a book with the totals of its accounts, by currency.
//
//   const TrialBalance trial = read_trial_balance(store.session());
//   for (const TrialBalanceTotal& total : trial.totals) CARREL_ASSERT(total.balanced(), "...");
//
// Threads: plain values; reading one is safe from any.
// Errors: throws Error "amount.overflow" where a total exceeds 64 bits.
#pragma once

#include <cstdint>
#include <vector>

#include "ledger/domain/amount.h"
#include "ledger/domain/chart.h"

namespace carrel {
class Session;
}

namespace carrel::ledger {

struct TrialBalanceLine {
  Subject subject;
  Currency currency = Currency::cny();
  std::int64_t accounts = 0;
  std::int64_t debit = 0;   // the accounts' net balance if it stands on the debit side, else 0
  std::int64_t credit = 0;  // and likewise
};

struct TrialBalanceTotal {
  Currency currency = Currency::cny();
  std::int64_t debit = 0;
  std::int64_t credit = 0;

  [[nodiscard]] bool balanced() const noexcept { return debit == credit; }
};

struct TrialBalance {
  std::vector<TrialBalanceLine> lines;    // by subject code, then currency
  std::vector<TrialBalanceTotal> totals;  // by currency
};

// Of the book bound in the current scope, in one snapshot.
[[nodiscard]] TrialBalance read_trial_balance(Session& session);

}  // namespace carrel::ledger
