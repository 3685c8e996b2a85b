// Ledger: the account service without HTTP: open accounts, book vouchers, read both back.
//
// Every function works on the book bound in the current scope (Store::book()); without one it
// throws carrel::Error "no_marker". There is no default book.
//
//   auto store = open_store({.folder = "data"});
//   Ledger ledger(*store);
//   Scope scope({.name = "POST /v1/vouchers"});
//   auto bound = store->book().bind(Book::consumer);
//   const Outcome<PostedVoucher> outcome = ledger.post_voucher(request);
//
// Threads: safe from any; calls block on the database.
// Lifetime: the store outlives the ledger. Results own what they hold.
// Errors: a "no" of the business is a refused Outcome, and then nothing has changed; failures throw
// carrel::Error, and then nothing has changed unless its in_doubt() says so: then post again with
// the same key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "carrel/base/clock.h"
#include "ledger/domain/account.h"
#include "ledger/domain/outcome.h"
#include "ledger/domain/rules/books.h"
#include "ledger/domain/voucher.h"
#include "ledger/posting/poster.h"
#include "ledger/store/checker.h"
#include "ledger/store/trial_balance.h"

namespace carrel::ledger {

class Store;

struct LedgerOptions {
  LedgerRules rules = {};
  const Clock* clock = &SystemClock::get();
};

struct OpenAccountRequest {
  std::string party = {};    // registered with the account if it is new
  std::string subject = {};  // one for parties: SubjectUse::party
  Currency currency = Currency::cny();
  std::optional<Tier> tier = std::nullopt;                 // of a new party; absent: Tier::two
  std::optional<std::int64_t> credit_line = std::nullopt;  // merchant book only; absent: none
};

struct OpenedAccount {
  Account account;
  bool created = false;  // false: it was there before, and nothing changed
};

// Names one account: an id, or party/subject with this currency.
struct AccountQuery {
  AccountRef ref;
  Currency currency = Currency::cny();
};

inline constexpr std::size_t kStatementPageMax = 500;

struct StatementPage {
  Account account;
  using Line = StatementLine;
  std::vector<Line> lines;  // newest first
  std::string next_cursor;  // of the page after this one; empty at the end
};

struct StatementQuery {
  AccountQuery account;
  std::size_t limit = 50;   // 1 to kStatementPageMax
  std::string cursor = {};  // StatementPage::next_cursor; empty: from the newest entry
};

class Ledger {
 public:
  explicit Ledger(Store& store, LedgerOptions options = {});

  // The book's chart of accounts, by code.
  [[nodiscard]] std::vector<Subject> subjects() const;

  // Opens an account, and its party if it is new. Idempotent by (party, subject, currency); asking
  // again for another tier or credit line than it has is a conflict.
  // Refuses: bad_party, party_reserved, unknown_subject, subject_not_for_parties, bad_credit_line
  // (malformed); account_differs (conflict).
  [[nodiscard]] Outcome<OpenedAccount> open_account(const OpenAccountRequest& request);

  // Refuses: account_not_found (not_found).
  [[nodiscard]] Outcome<Account> find_account(const AccountQuery& query) const;

  // One page of an account's entries, newest first. A cursor stays valid while postings go on:
  // each entry that was there at the first page is shown exactly once.
  // Refuses: bad_limit, bad_cursor (malformed); account_not_found (not_found).
  [[nodiscard]] Outcome<StatementPage> statement(const StatementQuery& query) const;

  // Books a voucher in one transaction, or changes nothing. The same request again answers what it
  // answered then, replayed; a refused one left no trace and may be sent again with its key.
  // Refuses: see validate() (malformed), key_reused (conflict: the key has another body),
  // account_not_found (not_found), state_legs() and the rules of the book (business).
  [[nodiscard]] Outcome<PostedVoucher> post_voucher(const VoucherRequest& request);

  // Refuses: voucher_not_found (not_found).
  [[nodiscard]] Outcome<Voucher> find_voucher(std::int64_t id) const;
  [[nodiscard]] Outcome<Voucher> find_voucher_by_key(const std::string& key) const;

  // All subjects of the book with the totals of their accounts, in one snapshot.
  [[nodiscard]] TrialBalance trial_balance() const;

  // Verifies the book in one snapshot while posting goes on; see checker.h.
  [[nodiscard]] CheckReport check(const CheckOptions& options = {}) const;

 private:
  [[nodiscard]] const RuleChain& rules_of(Book book) const noexcept;
  [[nodiscard]] Outcome<OpenedAccount> open_in_transaction(const OpenAccountRequest& request);

  Store& store_;
  const Clock& clock_;
  std::array<RuleChain, kBooks.size()> chains_;
};

}  // namespace carrel::ledger
