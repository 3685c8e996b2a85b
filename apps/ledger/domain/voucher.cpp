#include "ledger/domain/voucher.h"

#include <algorithm>
#include <map>

namespace carrel::ledger {
namespace {

// Keys end in URLs, logs and headers: printable ASCII without blanks.
bool is_key(std::string_view key) noexcept {
  return !key.empty() && key.size() <= kKeyBytesMax &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; });
}

bool is_continuation(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// The length of the well-formed UTF-8 sequence that a text begins with; 0 if it is none (RFC 3629:
// no overlong form, no surrogate, nothing above U+10FFFF).
std::size_t sequence_bytes(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return 0;
  if (!std::ranges::all_of(text.substr(1, bytes - 1), is_continuation)) return 0;
  const auto second = static_cast<unsigned char>(text[1]);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
    return 0;
  return bytes;
}

// UTF-8 without control characters (a tab or a line feed is none of a memo's business either).
bool is_plain_text(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t bytes = sequence_bytes(text);
    if (bytes == 0 || (bytes == 1 && (text[0] < ' ' || text[0] == 0x7f))) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::optional<Refusal> check_texts(const VoucherRequest& request) {
  if (!is_key(request.key))
    return malformed("bad_key", "an idempotency key is 1 to " + std::to_string(kKeyBytesMax) +
                                    " printable ASCII characters without blanks");
  if (request.memo.size() > kMemoBytesMax)
    return malformed("memo_too_long",
                     "a memo has at most " + std::to_string(kMemoBytesMax) + " bytes");
  if (!is_plain_text(request.memo))
    return malformed("bad_text", "the memo is not UTF-8, or has control characters");
  if (request.kind == VoucherKind::refund && request.original.empty())
    return malformed("original_missing", "a refund names the key of its payment");
  if (request.kind != VoucherKind::refund && !request.original.empty())
    return malformed("original_unexpected", "only a refund names an original");
  if (!request.original.empty() && !is_key(request.original))
    return malformed("bad_key", "the original is not a key");
  return std::nullopt;
}

// Years that the stored form and the accounting date can hold without surprises.
bool is_plausible(Timestamp at) noexcept {
  using std::chrono::sys_days, std::chrono::year;
  return at >= sys_days(year{1970} / 1 / 1) && at < sys_days(year{2200} / 1 / 1);
}

std::optional<Refusal> check_balance(const VoucherRequest& request) {
  struct Totals {
    std::int64_t debit = 0;
    std::int64_t credit = 0;
  };
  std::map<Currency, Totals> by_currency;
  for (const Leg& leg : request.legs) {
    if (leg.amount.minor() <= 0)
      return malformed("amount_not_positive", "the amount on " + leg.account.to_string() + " is " +
                                                  leg.amount.to_string());
    Totals& totals = by_currency[leg.amount.currency()];
    std::int64_t& side = leg.side == Side::debit ? totals.debit : totals.credit;
    const auto sum = checked_add(side, leg.amount.minor());
    if (!sum) return malformed("amount_overflow", "the legs add up to more than 64 bits hold");
    side = *sum;
  }
  for (const auto& [currency, totals] : by_currency)
    if (totals.debit != totals.credit)
      return malformed("unbalanced", "debits are " + Amount(totals.debit, currency).to_string() +
                                         ", credits " +
                                         Amount(totals.credit, currency).to_string());
  if (by_currency.size() > 1)
    return malformed("several_currencies", "a voucher has legs of one currency");
  return std::nullopt;
}

}  // namespace

std::string_view to_string(VoucherKind kind) noexcept {
  switch (kind) {
    case VoucherKind::credit:
      return "credit";
    case VoucherKind::pay:
      return "pay";
    case VoucherKind::refund:
      return "refund";
  }
  return "unknown";
}

std::optional<VoucherKind> parse_voucher_kind(std::string_view name) noexcept {
  for (const VoucherKind kind : {VoucherKind::credit, VoucherKind::pay, VoucherKind::refund})
    if (to_string(kind) == name) return kind;
  return std::nullopt;
}

std::optional<Refusal> validate(const VoucherRequest& request) {
  if (auto no = check_texts(request)) return no;
  if (request.event_time && !is_plausible(*request.event_time))
    return malformed("bad_event_time", "an event time lies between 1970 and 2200");
  if (request.legs.size() < 2) return malformed("too_few_legs", "a voucher has at least two legs");
  if (request.legs.size() > kLegsMax)
    return malformed("too_many_legs",
                     "a voucher has at most " + std::to_string(kLegsMax) + " legs");
  std::vector<std::string> names;
  names.reserve(request.legs.size());
  for (const Leg& leg : request.legs) names.push_back(leg.account.to_string());
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    return malformed("account_repeated", *twice + " has two legs");
  return check_balance(request);
}

std::int32_t accounting_date(Timestamp at) noexcept {
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(at)};
  return static_cast<std::int32_t>(date.year()) * 10'000 +
         static_cast<std::int32_t>(static_cast<unsigned>(date.month())) * 100 +
         static_cast<std::int32_t>(static_cast<unsigned>(date.day()));
}

}  // namespace carrel::ledger
