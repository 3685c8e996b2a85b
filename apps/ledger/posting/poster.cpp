#include "ledger/posting/poster.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>

#include "carrel/base/error.h"
#include "ledger/posting/body_hash.h"
#include "ledger/store/account_table.h"

namespace carrel::ledger {

Outcome<PreparedVoucher> Poster::prepare(const VoucherRequest& request) {
  if (auto no = validate(request)) return *std::move(no);
  return PreparedVoucher{&request, hash_body(request)};
}

Outcome<PostedVoucher> Poster::post(const PreparedVoucher& prepared, const Context& context) {
  return session_.transaction([&]() -> Outcome<PostedVoucher> {
    if (const auto booked = VoucherTable(session_).find_key(prepared.request->key))
      return replay(prepared, *booked);
    return book(prepared, context);
  });
}

Outcome<PostedVoucher> Poster::replay(const PreparedVoucher& prepared,
                                      const VoucherTable::BookedKey& booked) {
  const std::string& key = prepared.request->key;
  if (booked.body_hash != prepared.body_hash)
    return conflict("key_reused", "the key '" + key + "' belongs to a different voucher");
  std::optional<Voucher> voucher = VoucherTable(session_).find(booked.voucher_id);
  if (!voucher) throw Error("store.corrupt", "the key '" + key + "' has no voucher");
  // As it was answered then: refunds came later.
  voucher->refunded = 0;
  voucher->refund_count = 0;
  voucher->last_refund.reset();
  return PostedVoucher{*std::move(voucher), true};
}

Outcome<PostedVoucher> Poster::book(const PreparedVoucher& prepared, const Context& context) {
  const VoucherRequest& request = *prepared.request;
  const Outcome<std::vector<Account>> accounts = load_accounts(request);
  if (!accounts.accepted()) return accounts.refusal();
  Outcome<std::vector<LegState>> legs = state_legs(request, accounts.value());
  if (!legs.accepted()) return legs.refusal();
  std::optional<OriginalPayment> original;
  if (request.kind == VoucherKind::refund)
    original = VoucherTable(session_).find_original(request.original);

  const PostingFacts facts{.book = context.book,
                           .request = request,
                           .legs = legs.value(),
                           .original = original ? &*original : nullptr,
                           .received_at = context.received_at};
  if (Verdict no = context.rules.check(facts)) return *std::move(no);
  Voucher voucher = make_voucher(facts);
  write(voucher, facts, prepared.body_hash);
  return PostedVoucher{std::move(voucher), false};
}

// Accounts are loaded in the order of their ids, whatever the order of the legs: where a database
// locks rows, two vouchers on the same accounts then wait for each other instead of deadlocking.
Outcome<std::vector<Account>> Poster::load_accounts(const VoucherRequest& request) {
  AccountTable table(session_);
  const auto unknown = [](const Leg& leg) {
    return not_found("account_not_found", "there is no account " + leg.account.to_string() +
                                              " in " + std::string(leg.amount.currency().code()));
  };
  std::vector<std::int64_t> ids;
  for (const Leg& leg : request.legs) {
    const auto id = table.find_id(leg.account, leg.amount.currency());
    if (!id) return unknown(leg);
    ids.push_back(*id);
  }
  std::vector<std::size_t> order(ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return ids[i]; });
  std::vector<Account> accounts(ids.size());
  for (const std::size_t i : order) {
    std::optional<Account> account = table.find(ids[i]);
    if (!account) return unknown(request.legs[i]);
    accounts[i] = *std::move(account);
  }
  return accounts;
}

Voucher Poster::make_voucher(const PostingFacts& facts) {
  const VoucherRequest& request = facts.request;
  const auto legs = static_cast<std::int64_t>(facts.legs.size());
  Voucher voucher;
  voucher.id = ids_.next_block(tag_of(facts.book), legs + 1);
  voucher.key = request.key;
  voucher.kind = request.kind;
  voucher.event_time = request.event_time.value_or(facts.received_at);
  voucher.accounting_date = accounting_date(facts.received_at);
  voucher.memo = request.memo;
  std::int64_t debits = 0;  // cannot overflow: validate() has added them up
  for (std::int64_t leg = 1; leg <= legs; ++leg) {
    const LegState& state = facts.legs[static_cast<std::size_t>(leg - 1)];
    const std::int64_t amount = state.leg.amount.minor();
    if (state.leg.side == Side::debit) debits += amount;
    voucher.entries.push_back({.id = entry_id(voucher.id, leg),
                               .voucher_id = voucher.id,
                               .leg = leg,
                               .account_id = state.before.id,
                               .side = state.leg.side,
                               .amount = amount,
                               .balance_after = state.balance_after,
                               .version = state.before.version + 1,
                               .previous_entry = state.before.last_entry});
  }
  voucher.amount = {debits, request.legs.front().amount.currency()};
  if (facts.original != nullptr) {
    voucher.original_id = facts.original->voucher.id;
    voucher.previous_refund = facts.original->voucher.last_refund;
  }
  return voucher;
}

void Poster::write(const Voucher& voucher, const PostingFacts& facts, const BodyHash& body_hash) {
  VoucherTable vouchers(session_);
  vouchers.insert(voucher, body_hash);
  if (voucher.original_id) vouchers.count_refund(voucher);
  AccountTable accounts(session_);
  for (std::size_t i = 0; i < voucher.entries.size(); ++i)
    accounts.update_posted(facts.legs[i].before, voucher.entries[i].balance_after,
                           voucher.entries[i].id);
}

}  // namespace carrel::ledger
