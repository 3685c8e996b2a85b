#include "ledger/store/account_table.h"

#include "carrel/base/assert.h"
#include "carrel/base/error.h"

namespace carrel::ledger {
namespace {

// Columns from `at`: code, name, title, type, normal_side, held_by. The table's checks keep the
// numbers within the enumerations.
Subject subject_from(const Row& row, std::size_t at) {
  return {.code = row.get<std::string>(at),
          .name = row.get<std::string>(at + 1),
          .title = row.get<std::string>(at + 2),
          .type = static_cast<SubjectType>(row.get<int>(at + 3)),
          .normal_side = static_cast<Side>(row.get<int>(at + 4)),
          .use = static_cast<SubjectUse>(row.get<int>(at + 5))};
}

}  // namespace

Currency currency_from(std::string_view code) {
  if (const auto currency = Currency::find(code)) return *currency;
  throw Error("store.corrupt", "a row is in an unknown currency: " + std::string(code));
}

std::vector<Subject> AccountTable::subjects() {
  std::vector<Subject> subjects;
  const Result rows = session_.execute(
      "select code, name, title, type, normal_side, held_by from {subject} order by code");
  for (const Row row : rows) subjects.push_back(subject_from(row, 0));
  return subjects;
}

std::optional<Subject> AccountTable::find_subject(std::string_view code) {
  const Result rows = session_.execute(
      "select code, name, title, type, normal_side, held_by from {subject} where code = $1", code);
  if (rows.empty()) return std::nullopt;
  return subject_from(rows[0], 0);
}

std::optional<Party> AccountTable::find_party(std::string_view name) {
  const Result rows = session_.execute("select id, name, tier from {party} where name = $1", name);
  if (rows.empty()) return std::nullopt;
  return Party{rows[0].get<std::int64_t>(0), rows[0].get<std::string>(1),
               static_cast<Tier>(rows[0].get<int>(2))};
}

void AccountTable::insert(const Party& party) {
  session_.execute("insert into {party} (id, name, tier) values ($1, $2, $3)", party.id, party.name,
                   static_cast<int>(party.tier));
}

std::optional<std::int64_t> AccountTable::find_id(std::string_view party, std::string_view subject,
                                                  Currency currency) {
  const Result rows = session_.execute(
      "select a.id from {party} p join {account} a on a.party_id = p.id "
      "where p.name = $1 and a.subject = $2 and a.currency = $3",
      party, subject, currency.code());
  if (rows.empty()) return std::nullopt;
  return rows[0].get<std::int64_t>(0);
}

std::optional<std::int64_t> AccountTable::find_id(const AccountRef& ref, Currency currency) {
  return ref.id() ? ref.id() : find_id(ref.party(), ref.subject(), currency);
}

std::optional<Account> AccountTable::find(std::int64_t id) {
  const Result rows = session_.execute(
      "select a.id, a.currency, a.status, a.balance, a.frozen, a.credit_line, a.version, "
      "a.last_entry, p.id, p.name, p.tier, "
      "s.code, s.name, s.title, s.type, s.normal_side, s.held_by "
      "from {account} a join {party} p on p.id = a.party_id join {subject} s on s.code = a.subject "
      "where a.id = $1",
      id);
  if (rows.empty()) return std::nullopt;
  const Row row = rows[0];
  Account account;
  account.id = row.get<std::int64_t>(0);
  account.currency = currency_from(row.get<std::string_view>(1));
  account.status = static_cast<AccountStatus>(row.get<int>(2));
  account.balance = row.get<std::int64_t>(3);
  account.frozen = row.get<std::int64_t>(4);
  account.credit_line = row.get<std::int64_t>(5);
  account.version = row.get<std::int64_t>(6);
  account.last_entry = row.get<std::optional<std::int64_t>>(7);
  account.party = {row.get<std::int64_t>(8), row.get<std::string>(9),
                   static_cast<Tier>(row.get<int>(10))};
  account.subject = subject_from(row, 11);
  return account;
}

void AccountTable::insert(const Account& account) {
  session_.execute(
      "insert into {account} (id, party_id, subject, currency, status, balance, frozen, "
      "credit_line, version, last_entry) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      account.id, account.party.id, account.subject.code, account.currency.code(),
      static_cast<int>(account.status), account.balance, account.frozen, account.credit_line,
      account.version, account.last_entry);
}

void AccountTable::update_posted(const Account& before, std::int64_t balance,
                                 std::int64_t last_entry) {
  const Result updated = session_.execute(
      "update {account} set balance = $1, version = version + 1, last_entry = $2 "
      "where id = $3 and version = $4",
      balance, last_entry, before.id, before.version);
  CARREL_ASSERT(updated.affected_rows() == 1,
                "account " + std::to_string(before.id) + " moved within its own transaction");
}

}  // namespace carrel::ledger
