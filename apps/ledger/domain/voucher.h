// VoucherRequest, Voucher and Entry: what shall be booked, and what was.
//
//   VoucherRequest request{.key = "order-17", .kind = VoucherKind::pay, .legs = {
//       {*AccountRef::parse("alice/2001"), Side::debit, {1250, cny}},
//       {*AccountRef::parse("shop/2002"), Side::credit, {1250, cny}}}};
//   if (std::optional<Refusal> no = validate(request)) return *no;
//
// Threads: plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/domain/account.h"
#include "ledger/domain/amount.h"
#include "ledger/domain/outcome.h"

namespace carrel::ledger {

inline constexpr std::size_t kLegsMax = 100;
inline constexpr std::size_t kKeyBytesMax = 128;
inline constexpr std::size_t kMemoBytesMax = 512;

// Microseconds are what is stored.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

// Stored; never change a number.
enum class VoucherKind : std::uint8_t {
  credit = 1,  // money comes in from outside: party accounts may only grow
  pay = 2,     // money moves between accounts
  refund = 3,  // all or part of a payment goes back the way it came
};

[[nodiscard]] std::string_view to_string(VoucherKind kind) noexcept;
[[nodiscard]] std::optional<VoucherKind> parse_voucher_kind(std::string_view name) noexcept;

struct Leg {
  AccountRef account;
  Side side;
  Amount amount;
};

struct VoucherRequest {
  std::string key = {};  // idempotency key, unique in the book
  VoucherKind kind = VoucherKind::pay;
  std::vector<Leg> legs = {};
  std::optional<Timestamp> event_time = std::nullopt;  // when it happened; absent: when it arrives
  std::string memo = {};
  std::string original = {};  // a refund's payment, by its key; else empty
};

// What is wrong with a request whatever the book's state is (always RefusalKind::malformed);
// nothing if it may be tried: a key, 2 to kLegsMax legs on distinct references, positive amounts of
// one currency, balanced, an original exactly with a refund.
[[nodiscard]] std::optional<Refusal> validate(const VoucherRequest& request);

// One leg as booked.
struct Entry {
  std::int64_t id = 0;
  std::int64_t voucher_id = 0;
  std::int64_t leg = 0;  // 1, 2, ... in the order of the request
  std::int64_t account_id = 0;
  Side side = Side::debit;
  std::int64_t amount = 0;
  std::int64_t balance_after = 0;
  std::int64_t version = 0;                    // of the account: its 1st, 2nd, ... entry
  std::optional<std::int64_t> previous_entry;  // of the same account

  friend bool operator==(const Entry&, const Entry&) = default;
};

struct Voucher {
  std::int64_t id = 0;
  std::string key;
  VoucherKind kind = VoucherKind::pay;
  Timestamp event_time;
  std::int32_t accounting_date = 0;   // 20260131
  Amount amount{0, Currency::cny()};  // of one side
  std::string memo;
  std::optional<std::int64_t> original_id;  // a refund's payment
  std::int64_t refunded = 0;                // of a payment: by all refunds so far
  std::int64_t refund_count = 0;
  std::optional<std::int64_t> last_refund;      // of a payment: head of the chain of its refunds
  std::optional<std::int64_t> previous_refund;  // of a refund: the next in that chain
  std::vector<Entry> entries;

  friend bool operator==(const Voucher&, const Voucher&) = default;
};

// A line of a statement: an entry with what its voucher says of it.
struct StatementLine {
  Entry entry;
  std::string key;
  VoucherKind kind = VoucherKind::pay;
  Timestamp event_time;
  std::string memo;
};

// Entries take the ids right behind their voucher's, so that a voucher finds its entries by primary
// key and needs no index for it.
[[nodiscard]] constexpr std::int64_t entry_id(std::int64_t voucher_id, std::int64_t leg) noexcept {
  return voucher_id + leg * 256;  // the low byte is the book's tag
}

// The date in UTC as 20260131.
[[nodiscard]] std::int32_t accounting_date(Timestamp at) noexcept;

}  // namespace carrel::ledger
