// TrialBalance: every subject of a book with the totals of its accounts, by currency.
//
// Threads: plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "ledger/domain/amount.h"
#include "ledger/domain/chart.h"

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

}  // namespace carrel::ledger
