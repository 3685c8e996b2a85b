// Fixture verbs for the domain's tests: accounts and vouchers in one line each.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/domain/facts.h"

namespace carrel::ledger::testing {

inline const Currency kCny = Currency::cny();
inline const Timestamp kNow = std::chrono::sys_days(std::chrono::year{2026} / 3 / 1);

inline Amount cny(std::int64_t minor) {
  return {minor, kCny};
}

inline Leg debit(std::string_view ref, std::int64_t minor) {
  return {*AccountRef::parse(ref), Side::debit, cny(minor)};
}
inline Leg credit(std::string_view ref, std::int64_t minor) {
  return {*AccountRef::parse(ref), Side::credit, cny(minor)};
}

inline VoucherRequest voucher(VoucherKind kind, std::vector<Leg> legs) {
  return {.key = "key-1", .kind = kind, .legs = std::move(legs)};
}

// 12.50 from a consumer to a shop, say.
inline VoucherRequest pay(std::string_view from, std::string_view to, std::int64_t minor) {
  return voucher(VoucherKind::pay, {debit(from, minor), credit(to, minor)});
}

inline VoucherRequest refund(std::string_view from, std::string_view to, std::int64_t minor) {
  VoucherRequest request = voucher(VoucherKind::refund, {debit(from, minor), credit(to, minor)});
  request.original = "payment";
  return request;
}

struct AccountSketch {
  std::int64_t id = 1;
  std::string_view ref = {};
  std::int64_t balance = 0;
  std::int64_t frozen = 0;
  std::int64_t credit_line = 0;
  Tier tier = Tier::two;
  AccountStatus status = AccountStatus::active;
};

inline Account account(Book book, const AccountSketch& sketch) {
  const AccountRef ref = *AccountRef::parse(sketch.ref);
  Account account;
  account.id = sketch.id * 256 + tag_of(book);
  account.party = {.id = 256 + tag_of(book), .name = ref.party(), .tier = sketch.tier};
  account.subject = *ChartOfAccounts::standard(book).find(ref.subject());
  account.status = sketch.status;
  account.balance = sketch.balance;
  account.frozen = sketch.frozen;
  account.credit_line = sketch.credit_line;
  return account;
}

}  // namespace carrel::ledger::testing
