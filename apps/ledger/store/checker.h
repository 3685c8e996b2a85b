// check_book: verifies that a book is what double entry promises, row by row.
//
// Reads one snapshot while posting goes on; the work is done by the database, and only what is
// wrong comes back. Works on the book bound in the current scope.
//
//   const CheckReport report = check_book(store);
//   for (const Violation& violation : report.violations) log(violation.check, violation.detail);
//
// Checks (Violation::check):
//   balanced         debit = credit, for each voucher and for the whole book
//   voucher_entries  a voucher has all its legs, an entry its voucher and place; amounts agree
//   account_balance  a balance is the sum of its entries
//   version_chain    versions run 1..n without a gap; balances and previous entries chain
//   subject_totals   the sub-ledger (balances) agrees with the general ledger (entries) by subject
//   credit_line      no party's available was below its credit line, at any version
//   idempotency      one key, one voucher, and the other way round
//   refunds          refunds stay within their payment; its counters and chain are theirs
//   book_tag         every id in every column carries the book's tag
//   references       what a row refers to is in the same book
//   tables           the book's file holds its own tables and no other's
//   acknowledged     each key that the caller was promised has its voucher
// Threads: safe from any. Errors: throws carrel::Error if the book cannot be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ledger/domain/book.h"

namespace carrel::ledger {

class Store;

struct CheckOptions {
  std::span<const std::string> acknowledged_keys = {};  // vouchers that must be there
  std::size_t violations_max = 100;                     // of each check; more are only counted
};

struct Violation {
  std::string check;   // one of the list above
  std::string row;     // "entry 123", "account 45", "key order-17"
  std::string detail;  // what is wrong with it, with figures
};

// How many rows a check looked at.
struct RowCount {
  std::string table;  // "account"
  std::int64_t rows = 0;
};

struct CheckReport {
  Book book = Book::consumer;
  std::vector<RowCount> counts;
  std::vector<Violation> violations;
  std::int64_t violation_count = 0;  // all of them, also those beyond violations_max

  [[nodiscard]] bool clean() const noexcept { return violation_count == 0; }
};

[[nodiscard]] CheckReport check_book(Store& store, const CheckOptions& options = {});

}  // namespace carrel::ledger
