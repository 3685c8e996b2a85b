// VoucherTable: the SQL on vouchers, entries and idempotency keys of the book bound in the current
// scope.
//
//   VoucherTable vouchers(session);
//   if (auto booked = vouchers.find_key("order-17")) vouchers.find(booked->voucher_id);
//
// Threads: stateless but for the session. Lifetime: the session outlives it.
// Errors: SqlError; Error "store.corrupt" for a row that this version cannot read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "carrel/session/session.h"
#include "ledger/domain/facts.h"
#include "ledger/domain/voucher.h"

namespace carrel::ledger {

// SHA-256 of a request's canonical form.
using BodyHash = std::array<std::byte, 32>;

class VoucherTable {
 public:
  explicit VoucherTable(Session& session) noexcept : session_(session) {}

  struct BookedKey {
    BodyHash body_hash;
    std::int64_t voucher_id;
  };
  [[nodiscard]] std::optional<BookedKey> find_key(std::string_view key);

  // With its entries, in the order of its legs.
  [[nodiscard]] std::optional<Voucher> find(std::int64_t id);
  // The voucher of a key with what refunds have taken of each of its legs.
  [[nodiscard]] std::optional<OriginalPayment> find_original(std::string_view key);

  // The voucher, its entries and its key.
  void insert(const Voucher& voucher, const BodyHash& body_hash);
  // Counts a refund that has just been inserted on the payment it names.
  void count_refund(const Voucher& refund);

  // At most `limit` entries of one account, newest first, from a given entry back.
  [[nodiscard]] std::vector<StatementLine> statement(std::int64_t from_entry, std::size_t limit);
  // The account that an entry belongs to.
  [[nodiscard]] std::optional<std::int64_t> account_of_entry(std::int64_t entry);

 private:
  void insert_entry(const Entry& entry);
  [[nodiscard]] std::vector<Entry> entries(std::int64_t voucher_id, std::int64_t legs);
  void add_refunds(const Voucher& payment, std::vector<RefundedLeg>& legs);

  Session& session_;
};

}  // namespace carrel::ledger
