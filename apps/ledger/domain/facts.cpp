#include "ledger/domain/facts.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "carrel/base/assert.h"

namespace carrel::ledger {
namespace {

std::optional<Refusal> check_status(const LegState& state) {
  const std::string name = state.leg.account.to_string();
  switch (state.before.status) {
    case AccountStatus::active:
      return std::nullopt;
    case AccountStatus::frozen:
      return refused("account_frozen", name + " is frozen");
    case AccountStatus::closed:
      return refused("account_closed", name + " is closed");
    case AccountStatus::stop_in:
      if (state.draws()) return std::nullopt;
      return refused("account_stop_in", name + " takes nothing in");
    case AccountStatus::stop_out:
      if (!state.draws()) return std::nullopt;
      return refused("account_stop_out", name + " gives nothing out");
  }
  return refused("account_closed", name + " has no known status");
}

std::optional<Refusal> check_leg(const VoucherRequest& request, const LegState& state) {
  const std::string name = state.leg.account.to_string();
  if (state.leg.amount.currency() != state.before.currency)
    return refused("currency_mismatch", name + " is kept in " +
                                            std::string(state.before.currency.code()) + ", not " +
                                            std::string(state.leg.amount.currency().code()));
  if (auto no = check_status(state)) return no;
  // Else a payment called a credit would pass by the rules on payments.
  if (request.kind == VoucherKind::credit && state.of_party() && state.draws())
    return refused("credit_draws_on_party", "a credit takes nothing from " + name);
  return std::nullopt;
}

}  // namespace

Outcome<std::vector<LegState>> state_legs(const VoucherRequest& request,
                                          std::span<const Account> accounts) {
  CARREL_ASSERT(accounts.size() == request.legs.size(), "each leg comes with its account");
  std::vector<LegState> states;
  std::vector<std::int64_t> ids;
  states.reserve(accounts.size());
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    LegState state{request.legs[i], accounts[i]};
    if (auto no = check_leg(request, state)) return *no;
    const std::int64_t amount = state.leg.amount.minor();
    const auto after = state.draws() ? checked_subtract(state.before.balance, amount)
                                     : checked_add(state.before.balance, amount);
    if (!after)
      return refused("balance_overflow", "the balance of " + state.leg.account.to_string() +
                                             " would exceed what 64 bits hold");
    state.balance_after = *after;
    ids.push_back(state.before.id);
    states.push_back(std::move(state));
  }
  std::ranges::sort(ids);
  if (const auto twice = std::ranges::adjacent_find(ids); twice != ids.end())
    return refused("account_repeated",
                   "account " + std::to_string(*twice) + " has two legs under two names");
  return states;
}

}  // namespace carrel::ledger
