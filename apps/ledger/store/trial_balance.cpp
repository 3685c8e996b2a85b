#include "ledger/store/trial_balance.h"

#include <map>
#include <string>

#include "carrel/base/error.h"
#include "carrel/session/session.h"
#include "ledger/store/account_table.h"

namespace carrel::ledger {
namespace {

[[noreturn]] void throw_overflow(const std::string& what) {
  throw Error("amount.overflow", "the total of " + what + " exceeds 64 bits");
}

void add(std::int64_t& total, std::int64_t amount, Currency currency) {
  const auto sum = checked_add(total, amount);
  if (!sum) throw_overflow(std::string(currency.code()));
  total = *sum;
}

// SQL sums the two halves of a balance apart, since its sum() of large numbers would fail.
std::int64_t join_halves(std::int64_t high, std::int64_t low, const Subject& subject) {
  std::int64_t sum = 0;
  if (__builtin_mul_overflow(high, std::int64_t{1} << 32, &sum) ||
      __builtin_add_overflow(sum, low, &sum))
    throw_overflow("subject " + subject.code);
  return sum;
}

TrialBalanceLine line_of(const Subject& subject, Currency currency, std::int64_t accounts,
                         std::int64_t net) {
  TrialBalanceLine line{.subject = subject, .currency = currency, .accounts = accounts};
  const Side side = net >= 0 ? subject.normal_side : opposite(subject.normal_side);
  if (net == INT64_MIN) throw_overflow("subject " + subject.code);
  (side == Side::debit ? line.debit : line.credit) = net >= 0 ? net : -net;
  return line;
}

}  // namespace

TrialBalance read_trial_balance(Session& session) {
  return session.transaction({.read_only = true}, [&] {
    std::map<std::string, Subject, std::less<>> chart;
    for (Subject& subject : AccountTable(session).subjects())
      chart.emplace(subject.code, std::move(subject));
    const Result rows = session.execute(
        "select subject, currency, count(*), sum(balance >> 32), sum(balance & 4294967295) "
        "from {account} group by subject, currency order by subject, currency");
    TrialBalance trial;
    std::map<Currency, TrialBalanceTotal> totals;
    for (const Row row : rows) {
      const auto subject = chart.find(row.get<std::string_view>(0));
      if (subject == chart.end())
        throw Error("store.corrupt",
                    "accounts have an unknown subject: " + row.get<std::string>(0));
      const Currency currency = currency_from(row.get<std::string_view>(1));
      const std::int64_t net =
          join_halves(row.get<std::int64_t>(3), row.get<std::int64_t>(4), subject->second);
      trial.lines.push_back(line_of(subject->second, currency, row.get<std::int64_t>(2), net));
      TrialBalanceTotal& total =
          totals.try_emplace(currency, TrialBalanceTotal{.currency = currency}).first->second;
      add(total.debit, trial.lines.back().debit, currency);
      add(total.credit, trial.lines.back().credit, currency);
    }
    for (const auto& [currency, total] : totals) trial.totals.push_back(total);
    return trial;
  });
}

}  // namespace carrel::ledger
