#include "ledger/store/voucher_table.h"

#include <algorithm>
#include <span>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "ledger/store/account_table.h"

namespace carrel::ledger {
namespace {

// Columns from `at`: id, voucher_id, leg, account_id, side, amount, balance_after, version,
// previous_entry.
Entry entry_from(const Row& row, std::size_t at) {
  return {.id = row.get<std::int64_t>(at),
          .voucher_id = row.get<std::int64_t>(at + 1),
          .leg = row.get<std::int64_t>(at + 2),
          .account_id = row.get<std::int64_t>(at + 3),
          .side = static_cast<Side>(row.get<int>(at + 4)),
          .amount = row.get<std::int64_t>(at + 5),
          .balance_after = row.get<std::int64_t>(at + 6),
          .version = row.get<std::int64_t>(at + 7),
          .previous_entry = row.get<std::optional<std::int64_t>>(at + 8)};
}

Timestamp time_from(std::int64_t microseconds) {
  return Timestamp(std::chrono::microseconds(microseconds));
}

}  // namespace

std::optional<VoucherTable::BookedKey> VoucherTable::find_key(std::string_view key) {
  const Result rows =
      session_.execute("select body_hash, voucher_id from {idempotency} where key = $1", key);
  if (rows.empty()) return std::nullopt;
  const auto hash = rows[0].get<Bytes>(0);
  BookedKey booked{.body_hash = {}, .voucher_id = rows[0].get<std::int64_t>(1)};
  if (hash.size() != booked.body_hash.size())
    throw Error("store.corrupt", "the key '" + std::string(key) + "' has a body hash of " +
                                     std::to_string(hash.size()) + " bytes");
  std::ranges::copy(hash, booked.body_hash.begin());
  return booked;
}

std::optional<Voucher> VoucherTable::find(std::int64_t id) {
  const Result rows = session_.execute(
      "select key, kind, event_time, accounting_date, currency, amount, legs, memo, original_id, "
      "refunded, refund_count, last_refund, previous_refund from {voucher} where id = $1",
      id);
  if (rows.empty()) return std::nullopt;
  const Row row = rows[0];
  Voucher voucher;
  voucher.id = id;
  voucher.key = row.get<std::string>(0);
  voucher.kind = static_cast<VoucherKind>(row.get<int>(1));
  voucher.event_time = time_from(row.get<std::int64_t>(2));
  voucher.accounting_date = row.get<std::int32_t>(3);
  voucher.amount = {row.get<std::int64_t>(5), currency_from(row.get<std::string_view>(4))};
  voucher.memo = row.get<std::string>(7);
  voucher.original_id = row.get<std::optional<std::int64_t>>(8);
  voucher.refunded = row.get<std::int64_t>(9);
  voucher.refund_count = row.get<std::int64_t>(10);
  voucher.last_refund = row.get<std::optional<std::int64_t>>(11);
  voucher.previous_refund = row.get<std::optional<std::int64_t>>(12);
  voucher.entries = entries(id, row.get<std::int64_t>(6));
  return voucher;
}

std::vector<Entry> VoucherTable::entries(std::int64_t voucher_id, std::int64_t legs) {
  const Result rows = session_.execute(
      "select id, voucher_id, leg, account_id, side, amount, balance_after, version, "
      "previous_entry from {entry} where id > $1 and id <= $2 order by id",
      voucher_id, entry_id(voucher_id, legs));
  std::vector<Entry> entries;
  for (const Row row : rows) entries.push_back(entry_from(row, 0));
  return entries;
}

std::optional<OriginalPayment> VoucherTable::find_original(std::string_view key) {
  const auto booked = find_key(key);
  if (!booked) return std::nullopt;
  std::optional<Voucher> voucher = find(booked->voucher_id);
  if (!voucher) throw Error("store.corrupt", "the key '" + std::string(key) + "' has no voucher");
  OriginalPayment original{.voucher = *std::move(voucher), .legs = {}};
  for (const Entry& entry : original.voucher.entries)
    original.legs.push_back({entry.account_id, entry.side, entry.amount, 0});
  add_refunds(original.voucher, original.legs);
  return original;
}

void VoucherTable::add_refunds(const Voucher& payment, std::vector<RefundedLeg>& legs) {
  if (payment.refund_count == 0) return;
  if (legs.size() == 2) {  // every refund of two legs has both: the sum is each leg's
    for (RefundedLeg& leg : legs) leg.refunded = payment.refunded;
    return;
  }
  const Result rows = session_.execute(
      "with recursive refund (id, legs, previous_refund) as ("
      "select v.id, v.legs, v.previous_refund from {voucher} v where v.id = $1 union all "
      "select v.id, v.legs, v.previous_refund from refund r join {voucher} v "
      "on v.id = r.previous_refund) "
      "select e.account_id, sum(e.amount) from refund r join {entry} e "
      "on e.id > r.id and e.id <= r.id + r.legs * 256 group by e.account_id",
      payment.last_refund);
  for (const Row row : rows) {
    const auto leg = std::ranges::find(legs, row.get<std::int64_t>(0), &RefundedLeg::account_id);
    if (leg != legs.end()) leg->refunded = row.get<std::int64_t>(1);
  }
}

void VoucherTable::insert(const Voucher& voucher, const BodyHash& body_hash) {
  session_.execute(
      "insert into {voucher} (id, key, kind, event_time, accounting_date, currency, amount, legs, "
      "memo, original_id, refunded, refund_count, last_refund, previous_refund) "
      "values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, null, $11)",
      voucher.id, voucher.key, static_cast<int>(voucher.kind),
      voucher.event_time.time_since_epoch().count(), voucher.accounting_date,
      voucher.amount.currency().code(), voucher.amount.minor(), voucher.entries.size(),
      voucher.memo, voucher.original_id, voucher.previous_refund);
  for (const Entry& entry : voucher.entries) insert_entry(entry);
  session_.execute("insert into {idempotency} (key, body_hash, voucher_id) values ($1, $2, $3)",
                   voucher.key, std::span<const std::byte>(body_hash), voucher.id);
}

void VoucherTable::insert_entry(const Entry& entry) {
  session_.execute(
      "insert into {entry} (id, voucher_id, leg, account_id, side, amount, balance_after, version, "
      "previous_entry) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
      entry.id, entry.voucher_id, entry.leg, entry.account_id, static_cast<int>(entry.side),
      entry.amount, entry.balance_after, entry.version, entry.previous_entry);
}

void VoucherTable::count_refund(const Voucher& refund) {
  const Result updated = session_.execute(
      "update {voucher} set refunded = refunded + $1, refund_count = refund_count + 1, "
      "last_refund = $2 where id = $3",
      refund.amount.minor(), refund.id, refund.original_id);
  CARREL_ASSERT(updated.affected_rows() == 1,
                "the payment of refund " + std::to_string(refund.id) + " is gone");
}

std::vector<StatementLine> VoucherTable::statement(std::int64_t from_entry, std::size_t limit) {
  const Result rows = session_.execute(
      "with recursive page (id, voucher_id, leg, account_id, side, amount, balance_after, version, "
      "previous_entry, place) as ("
      "select e.id, e.voucher_id, e.leg, e.account_id, e.side, e.amount, e.balance_after, "
      "e.version, e.previous_entry, 1 from {entry} e where e.id = $1 union all "
      "select e.id, e.voucher_id, e.leg, e.account_id, e.side, e.amount, e.balance_after, "
      "e.version, e.previous_entry, p.place + 1 from page p join {entry} e "
      "on e.id = p.previous_entry where p.place < $2) "
      "select p.id, p.voucher_id, p.leg, p.account_id, p.side, p.amount, p.balance_after, "
      "p.version, p.previous_entry, v.key, v.kind, v.event_time, v.memo "
      "from page p join {voucher} v on v.id = p.voucher_id order by p.place",
      from_entry, limit);
  std::vector<StatementLine> lines;
  for (const Row row : rows)
    lines.push_back({.entry = entry_from(row, 0),
                     .key = row.get<std::string>(9),
                     .kind = static_cast<VoucherKind>(row.get<int>(10)),
                     .event_time = time_from(row.get<std::int64_t>(11)),
                     .memo = row.get<std::string>(12)});
  return lines;
}

std::optional<std::int64_t> VoucherTable::account_of_entry(std::int64_t entry) {
  const Result rows = session_.execute("select account_id from {entry} where id = $1", entry);
  if (rows.empty()) return std::nullopt;
  return rows[0].get<std::int64_t>(0);
}

}  // namespace carrel::ledger
