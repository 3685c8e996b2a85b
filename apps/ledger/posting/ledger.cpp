#include "ledger/posting/ledger.h"

#include <chrono>
#include <utility>

#include "carrel/session/session.h"
#include "ledger/posting/cursor.h"
#include "ledger/store/account_table.h"
#include "ledger/store/house_accounts.h"
#include "ledger/store/store.h"
#include "ledger/store/voucher_table.h"

namespace carrel::ledger {
namespace {

const TransactionOptions kRead{.read_only = true};

Outcome<Account> find_by(AccountTable& table, const AccountQuery& query) {
  if (const auto id = table.find_id(query.ref, query.currency))
    if (std::optional<Account> account = table.find(*id)) return *std::move(account);
  return not_found("account_not_found", "there is no account " + query.ref.to_string() + " in " +
                                            std::string(query.currency.code()));
}

// What can be said of an opening without looking into the book.
std::optional<Refusal> validate(const OpenAccountRequest& request, Book book) {
  if (!is_party_name(request.party))
    return malformed("bad_party", "a party's name is 1 to 64 of letters, digits and '._:@-'");
  if (request.party == kHouse)
    return malformed("party_reserved", "the house's accounts are opened by themselves");
  if (request.credit_line && *request.credit_line < 0)
    return malformed("bad_credit_line", "a credit line is not negative");
  if (request.credit_line && *request.credit_line != 0 && book == Book::consumer)
    return malformed("bad_credit_line", "a consumer's account has no credit line");
  return std::nullopt;
}

// Opening again may leave things out, but not ask for others than there are.
std::optional<Refusal> differs(const OpenAccountRequest& request, const Party& party) {
  if (!request.tier || *request.tier == party.tier) return std::nullopt;
  return conflict("account_differs",
                  request.party + " is of tier " + std::to_string(static_cast<int>(party.tier)));
}

std::optional<Refusal> differs(const OpenAccountRequest& request, const Account& account) {
  if (!request.credit_line || *request.credit_line == account.credit_line) return std::nullopt;
  return conflict("account_differs", "the account is open with a credit line of " +
                                         Amount(account.credit_line, account.currency).to_string());
}

}  // namespace

Ledger::Ledger(Store& store, LedgerOptions options)
    : store_(store),
      clock_(*options.clock),
      chains_{options.rules.chain(kBooks[0]), options.rules.chain(kBooks[1])} {}

const RuleChain& Ledger::rules_of(Book book) const noexcept {
  return chains_[book == kBooks[0] ? 0 : 1];
}

std::vector<Subject> Ledger::subjects() const {
  Session& session = store_.session();
  return session.transaction(kRead, [&] { return AccountTable(session).subjects(); });
}

Outcome<OpenedAccount> Ledger::open_account(const OpenAccountRequest& request) {
  if (auto no = validate(request, store_.book().current())) return *std::move(no);
  return store_.session().transaction([&] { return open_in_transaction(request); });
}

Outcome<OpenedAccount> Ledger::open_in_transaction(const OpenAccountRequest& request) {
  const Book book = store_.book().current();
  AccountTable table(store_.session());
  std::optional<Subject> subject = table.find_subject(request.subject);
  if (!subject)
    return malformed("unknown_subject", "the " + std::string(to_string(book)) +
                                            " book has no subject '" + request.subject + "'");
  if (subject->use != SubjectUse::party)
    return malformed("subject_not_for_parties",
                     "accounts under " + subject->code + " are the house's own");

  std::optional<Party> party = table.find_party(request.party);
  if (party) {
    if (auto no = differs(request, *party)) return *std::move(no);
    if (const auto id = table.find_id(party->name, subject->code, request.currency)) {
      std::optional<Account> account = table.find(*id);
      if (auto no = differs(request, *account)) return *std::move(no);
      return OpenedAccount{*std::move(account), false};
    }
  } else {
    party = Party{store_.ids().next(tag_of(book)), request.party, request.tier.value_or(Tier::two)};
    table.insert(*party);
  }
  // Those in CNY were opened with the book; the first account in another currency brings its own.
  if (request.currency != Currency::cny())
    open_house_accounts(store_.session(), book, store_.ids(), request.currency);
  Account account;
  account.id = store_.ids().next(tag_of(book));
  account.party = *std::move(party);
  account.subject = *std::move(subject);
  account.currency = request.currency;
  account.credit_line = request.credit_line.value_or(0);
  table.insert(account);
  return OpenedAccount{std::move(account), true};
}

Outcome<Account> Ledger::find_account(const AccountQuery& query) const {
  Session& session = store_.session();
  return session.transaction(kRead, [&] {
    AccountTable table(session);
    return find_by(table, query);
  });
}

Outcome<StatementPage> Ledger::statement(const StatementQuery& query) const {
  if (query.limit == 0 || query.limit > kStatementPageMax)
    return malformed("bad_limit",
                     "a page has 1 to " + std::to_string(kStatementPageMax) + " lines");
  const auto cursor = decode_cursor(query.cursor);
  const auto bad_cursor = [] {
    return malformed("bad_cursor", "the cursor is not one of this account's");
  };
  if (!query.cursor.empty() && !cursor) return bad_cursor();

  Session& session = store_.session();
  return session.transaction(kRead, [&]() -> Outcome<StatementPage> {
    AccountTable accounts(session);
    Outcome<Account> account = find_by(accounts, query.account);
    if (!account.accepted()) return account.refusal();
    VoucherTable vouchers(session);
    if (cursor && vouchers.account_of_entry(*cursor) != account->id) return bad_cursor();

    StatementPage page{.account = std::move(account).value(), .lines = {}, .next_cursor = {}};
    const auto from = cursor ? cursor : page.account.last_entry;
    if (!from) return page;
    page.lines = vouchers.statement(*from, query.limit);
    if (const auto next = page.lines.back().entry.previous_entry)
      page.next_cursor = encode_cursor(*next);
    return page;
  });
}

Outcome<PostedVoucher> Ledger::post_voucher(const VoucherRequest& request) {
  const Book book = store_.book().current();
  const Outcome<PreparedVoucher> prepared = Poster::prepare(request);
  if (!prepared.accepted()) return prepared.refusal();
  return Poster(store_.session(), store_.ids())
      .post(prepared.value(),
            {.book = book,
             .rules = rules_of(book),
             .received_at = std::chrono::floor<std::chrono::microseconds>(clock_.wall_now())});
}

Outcome<Voucher> Ledger::find_voucher(std::int64_t id) const {
  Session& session = store_.session();
  return session.transaction(kRead, [&]() -> Outcome<Voucher> {
    if (std::optional<Voucher> voucher = VoucherTable(session).find(id)) return *std::move(voucher);
    return not_found("voucher_not_found", "there is no voucher " + std::to_string(id));
  });
}

Outcome<Voucher> Ledger::find_voucher_by_key(const std::string& key) const {
  Session& session = store_.session();
  return session.transaction(kRead, [&]() -> Outcome<Voucher> {
    VoucherTable vouchers(session);
    if (const auto booked = vouchers.find_key(key))
      if (std::optional<Voucher> voucher = vouchers.find(booked->voucher_id))
        return *std::move(voucher);
    return not_found("voucher_not_found", "there is no voucher with the key '" + key + "'");
  });
}

TrialBalance Ledger::trial_balance() const {
  return read_trial_balance(store_.session());
}

CheckReport Ledger::check(const CheckOptions& options) const {
  return check_book(store_, options);
}

}  // namespace carrel::ledger
