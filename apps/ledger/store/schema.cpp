#include "ledger/store/schema.h"

#include <cstdint>

#include "carrel/base/error.h"
#include "ledger/domain/chart.h"
#include "ledger/store/house_accounts.h"

namespace carrel::ledger {
namespace {

constexpr std::int64_t kSchemaVersion = 1;

// @id(column) stands for "is an id of this book", @credit_line for what the book allows.
//
// No foreign key and no index on entries: a voucher finds its entries by their ids (entry_id), an
// account finds its own by the chain of previous entries, and so an insert touches the last page of
// one tree only.
constexpr std::array kTables{
    R"(create table {schema_version} (
  version integer not null check (version > 0),
  book    text not null
) strict)",
    R"(create table {subject} (
  code        text not null primary key,
  name        text not null,
  title       text not null,
  type        integer not null check (type between 1 and 6),
  normal_side integer not null check (normal_side in (1, 2)),
  held_by     integer not null check (held_by in (1, 2))
) strict, without rowid)",
    R"(create table {party} (
  id   integer primary key check (@id(id)),
  name text not null unique,
  tier integer not null check (tier between 1 and 3)
) strict)",
    R"(create table {account} (
  id          integer primary key check (@id(id)),
  party_id    integer not null check (@id(party_id)) references {party} (id),
  subject     text not null references {subject} (code),
  currency    text not null check (length(currency) = 3),
  status      integer not null check (status between 1 and 5),
  balance     integer not null,
  frozen      integer not null check (frozen >= 0),
  credit_line integer not null check (@credit_line),
  version     integer not null check (version >= 0),
  last_entry  integer check (last_entry is null or @id(last_entry)),
  check ((version = 0) = (last_entry is null)),
  unique (party_id, subject, currency)
) strict)",
    R"(create table {voucher} (
  id              integer primary key check (@id(id)),
  key             text not null,
  kind            integer not null check (kind between 1 and 3),
  event_time      integer not null,
  accounting_date integer not null,
  currency        text not null check (length(currency) = 3),
  amount          integer not null check (amount > 0),
  legs            integer not null check (legs between 2 and 100),
  memo            text not null,
  original_id     integer check (original_id is null or @id(original_id)),
  refunded        integer not null check (refunded between 0 and amount),
  refund_count    integer not null check (refund_count >= 0),
  last_refund     integer check (last_refund is null or @id(last_refund)),
  previous_refund integer check (previous_refund is null or @id(previous_refund)),
  check ((kind = 3) = (original_id is not null)),
  check ((refund_count = 0) = (last_refund is null))
) strict)",
    R"(create table {entry} (
  id             integer primary key check (@id(id)),
  voucher_id     integer not null check (@id(voucher_id)),
  leg            integer not null check (leg between 1 and 100),
  account_id     integer not null check (@id(account_id)),
  side           integer not null check (side in (1, 2)),
  amount         integer not null check (amount > 0),
  balance_after  integer not null,
  version        integer not null check (version > 0),
  previous_entry integer check (previous_entry is null or @id(previous_entry)),
  check (id = voucher_id + leg * 256),
  check ((version = 1) = (previous_entry is null))
) strict)",
    R"(create table {idempotency} (
  key        text not null primary key,
  body_hash  blob not null check (length(body_hash) = 32),
  voucher_id integer not null check (@id(voucher_id))
) strict, without rowid)",
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
    text.replace(at, from.size(), to);
}

std::string for_book(std::string_view ddl, Book book) {
  std::string text(ddl);
  replace_all(text, "@credit_line",
              book == Book::consumer ? "credit_line = 0" : "credit_line >= 0");
  for (std::size_t at = text.find("@id("); at != std::string::npos; at = text.find("@id(", at)) {
    const std::size_t close = text.find(')', at);
    const std::string column = text.substr(at + 4, close - at - 4);
    text.replace(at, close + 1 - at,
                 column + " > 0 and (" + column + " & 255) = " + std::to_string(tag_of(book)));
  }
  return text;
}

// The version that the book's file has; 0 for an empty file.
std::int64_t version_in_file(Session& session, Book book) {
  const Result tables = session.execute(
      "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape "
      "'\\' order by name");
  if (tables.empty()) return 0;
  const std::string own = physical_table(book, "schema_version");
  for (const Row row : tables) {
    if (row.get<std::string_view>(0) != own) continue;
    const Result version = session.execute("select version, book from {schema_version}");
    if (version.size() != 1 || version[0].get<std::string_view>(1) != to_string(book)) break;
    return version[0].get<std::int64_t>(0);
  }
  throw Error("store.schema", "the file of the " + std::string(to_string(book)) +
                                  " book holds something else: its first table is " +
                                  tables[0].get<std::string>(0));
}

void create_tables(Session& session, Book book) {
  for (const std::string_view ddl : kTables) session.execute(for_book(ddl, book));
  session.execute("insert into {schema_version} (version, book) values ($1, $2)", kSchemaVersion,
                  to_string(book));
}

void seed_chart(Session& session, Book book) {
  const ChartOfAccounts chart = ChartOfAccounts::standard(book);
  for (const Subject& subject : chart.subjects())
    session.execute(
        "insert into {subject} (code, name, title, type, normal_side, held_by) "
        "values ($1, $2, $3, $4, $5, $6)",
        subject.code, subject.name, subject.title, static_cast<int>(subject.type),
        static_cast<int>(subject.normal_side), static_cast<int>(subject.use));
}

}  // namespace

std::string physical_table(Book book, std::string_view slot) {
  return std::string(to_string(book)) + "_" + std::string(slot);
}

std::map<std::string, std::string, std::less<>> table_slots(Book book) {
  std::map<std::string, std::string, std::less<>> slots;
  for (const std::string_view slot : kTableSlots) slots.emplace(slot, physical_table(book, slot));
  return slots;
}

void prepare_book(Session& session, Book book, IdSource& ids) {
  session.transaction([&] {
    const std::int64_t version = version_in_file(session, book);
    if (version > kSchemaVersion)
      throw Error("store.schema", "the " + std::string(to_string(book)) +
                                      " book has schema version " + std::to_string(version) +
                                      ", made by a newer program; this one knows version " +
                                      std::to_string(kSchemaVersion));
    if (version == 0) {
      create_tables(session, book);
      seed_chart(session, book);
    }
    // Before any id is given: the newest row may be younger than a clock that was set back.
    for (const std::string_view newest :
         {"select max(id) from {entry}", "select max(id) from {account}",
          "select max(id) from {party}"})
      if (const auto id = session.execute(newest).one().get<std::optional<std::int64_t>>(0))
        ids.continue_after(*id);
    open_house_accounts(session, book, ids, Currency::cny());
  });
}

}  // namespace carrel::ledger
