#include "ledger/store/checks.h"

#include <array>
#include <utility>

#include "ledger/store/schema.h"

namespace carrel::ledger {
namespace {

// "select row, detail from ..." with the count of all beside the rows that are wanted. Nothing is
// kept in memory but violations.
std::string question(const std::string& select) {
  return "select place, detail, count(*) over () from (" + select + ") limit $1";
}

// SQL's own sum() fails beyond 64 bits, and a corrupt book must not stop its checker. So sums are
// kept in two halves: high * 2^32 + low, low carried over.
std::string high(const std::string& x) {
  return "(sum((" + x + ") >> 32) + (sum((" + x + ") & 4294967295) >> 32))";
}
std::string low(const std::string& x) {
  return "(sum((" + x + ") & 4294967295) & 4294967295)";
}
std::string is_zero(const std::string& x) {
  return "(" + high(x) + " = 0 and " + low(x) + " = 0)";
}
// For people only: exact up to 2^53.
std::string shown(const std::string& x) {
  return "printf('%.0f', total(" + x + "))";
}

constexpr std::string_view kOfVoucher = "e.id > v.id and e.id <= v.id + v.legs * 256";
const std::string kDebitMinusCredit = "case e.side when 1 then e.amount else -e.amount end";
const std::string kOnNormalSide =
    "case when e.side = s.normal_side then e.amount else -e.amount end";

std::string balanced_vouchers() {
  return question("select 'voucher ' || v.id as place, 'debits less credits are ' || " +
                  shown(kDebitMinusCredit) + " as detail from {voucher} v join {entry} e on " +
                  std::string(kOfVoucher) + " group by v.id having not " +
                  is_zero(kDebitMinusCredit));
}

std::string balanced_book() {
  return question("select 'book ' || a.currency as place, 'debits less credits are ' || " +
                  shown(kDebitMinusCredit) +
                  " as detail from {entry} e join {account} a on a.id = e.account_id "
                  "group by a.currency having not " +
                  is_zero(kDebitMinusCredit));
}

std::string entries_of_vouchers() {
  return question(
      "select 'voucher ' || v.id as place, 'has ' || count(e.id) || ' entries of ' || v.legs || "
      "', with debits of ' || " +
      shown("case e.side when 1 then e.amount else 0 end") +
      " || ' of ' || v.amount as detail from {voucher} v left join {entry} e on " +
      std::string(kOfVoucher) +
      // The sign keeps SQLite from building an index on voucher_id where the range of ids serves.
      " and +e.voucher_id = v.id group by v.id having count(e.id) <> v.legs or not " +
      // The amount is subtracted once, with the first leg.
      is_zero("case e.side when 1 then e.amount else 0 end - "
              "case e.leg when 1 then v.amount else 0 end"));
}

std::string vouchers_of_entries() {
  return question(
      "select 'entry ' || e.id as place, case when v.id is null then 'has no voucher' "
      "else 'is not leg ' || e.leg || ' of voucher ' || v.id end as detail "
      "from {entry} e left join {voucher} v on v.id = e.voucher_id "
      "where v.id is null or e.leg > v.legs or e.leg < 1 or e.id <> v.id + e.leg * 256");
}

std::string account_balances() {
  return question(
      "select 'account ' || a.id as place, 'has balance ' || a.balance || ' and version ' || "
      "a.version || ', but ' || coalesce(b.entries, 0) || ' entries up to version ' || "
      "coalesce(b.newest, 0) || ' that add up to ' || coalesce(b.shown, '0') as detail "
      "from {account} a left join (select e.account_id, count(*) as entries, "
      "max(e.version) as newest, " +
      high(kOnNormalSide) + " as high, " + low(kOnNormalSide) + " as low, " + shown(kOnNormalSide) +
      " as shown from {entry} e join {account} own on own.id = e.account_id "
      "join {subject} s on s.code = own.subject group by e.account_id) b on b.account_id = a.id "
      "where coalesce(b.entries, 0) <> a.version or coalesce(b.newest, 0) <> a.version or "
      "coalesce(b.high, 0) <> a.balance >> 32 or coalesce(b.low, 0) <> a.balance & 4294967295");
}

std::string entry_chain() {
  return question(
      "select 'entry ' || e.id as place, 'version ' || e.version || ' of account ' || "
      "e.account_id || ' with balance ' || e.balance_after || ' does not follow ' || "
      "case when e.previous_entry is null then 'from nothing' when p.id is null "
      "then 'entry ' || e.previous_entry || ', which is missing' else 'entry ' || p.id || "
      "', version ' || p.version || ' of account ' || p.account_id || ' with balance ' || "
      "p.balance_after end as detail from {entry} e join {account} a on a.id = e.account_id "
      "join {subject} s on s.code = a.subject left join {entry} p on p.id = e.previous_entry "
      "where e.version <> coalesce(p.version, 0) + 1 or "
      "(p.id is null) <> (e.previous_entry is null) or p.account_id <> e.account_id or "
      "e.balance_after <> coalesce(p.balance_after, 0) + " +
      kOnNormalSide);
}

std::string account_heads() {
  return question(
      "select 'account ' || a.id as place, 'is at version ' || a.version || ' with balance ' || "
      "a.balance || ', but its last entry ' || coalesce(a.last_entry, 'none') || case when e.id "
      "is null then ' is missing' else ' is version ' || e.version || ' of account ' || "
      "e.account_id || ' with balance ' || e.balance_after end as detail from {account} a "
      "left join {entry} e on e.id = a.last_entry where (a.version = 0) <> (a.last_entry is null) "
      "or (a.last_entry is not null and (e.id is null or e.account_id <> a.id or "
      "e.version <> a.version or e.balance_after <> a.balance))");
}

std::string subject_totals() {
  return question(
      "select 'subject ' || sub.subject || ' ' || sub.currency as place, "
      "'its accounts hold ' || sub.shown || ', its entries add up to ' || "
      "coalesce(general.shown, '0') as detail from (select a.subject, a.currency, " +
      high("a.balance") + " as high, " + low("a.balance") + " as low, " + shown("a.balance") +
      " as shown from {account} a group by a.subject, a.currency) sub left join "
      "(select a.subject, a.currency, " +
      high(kOnNormalSide) + " as high, " + low(kOnNormalSide) + " as low, " + shown(kOnNormalSide) +
      " as shown from {entry} e join {account} a on a.id = e.account_id join {subject} s on "
      "s.code = a.subject group by a.subject, a.currency) general on "
      "general.subject = sub.subject and general.currency = sub.currency "
      "where sub.high <> coalesce(general.high, 0) or sub.low <> coalesce(general.low, 0)");
}

std::string credit_lines_now() {
  return question(
      "select 'account ' || a.id as place, 'has ' || (a.balance - a.frozen) || "
      "' available, below its credit line of ' || a.credit_line as detail from {account} a "
      "join {subject} s on s.code = a.subject "
      "where s.held_by = 2 and a.balance - a.frozen < -a.credit_line");
}

std::string credit_lines_ever() {
  return question(
      "select 'entry ' || e.id as place, 'left account ' || a.id || ' with ' || "
      "e.balance_after || ', below its credit line of ' || a.credit_line as detail "
      "from {entry} e join {account} a on a.id = e.account_id join {subject} s on "
      "s.code = a.subject where s.held_by = 2 and e.balance_after < -a.credit_line");
}

std::string vouchers_of_keys() {
  return question(
      "select 'key ' || i.key as place, 'names voucher ' || i.voucher_id || case when v.id is null "
      "then ', which is missing' else ', which has key ' || v.key end as detail "
      "from {idempotency} i left join {voucher} v on v.id = i.voucher_id "
      "where v.id is null or v.key <> i.key");
}

std::string keys_of_vouchers() {
  return question(
      "select 'voucher ' || v.id as place, case when i.key is null then 'its key ' || v.key || "
      "' is not registered' else 'its key ' || v.key || ' belongs to voucher ' || i.voucher_id "
      "end as detail from {voucher} v left join {idempotency} i on i.key = v.key "
      "where i.key is null or i.voucher_id <> v.id");
}

std::string refund_totals() {
  return question(
      "select 'voucher ' || p.id as place, 'says ' || p.refund_count || ' refunds of ' || "
      "p.refunded || ', but has ' || coalesce(r.refunds, 0) || ' of ' || coalesce(r.shown, '0') || "
      "', paid were ' || p.amount as detail from {voucher} p left join (select v.original_id, "
      "count(*) as refunds, " +
      high("v.amount") + " as high, " + low("v.amount") + " as low, " + shown("v.amount") +
      " as shown, max(v.id) as newest, count(v.previous_refund) as links, "
      "count(distinct v.previous_refund) as targets from {voucher} v "
      "where v.original_id is not null group by v.original_id) r on r.original_id = p.id "
      "where (p.refund_count <> 0 or r.refunds is not null) and (p.kind <> 2 or "
      "p.refund_count <> coalesce(r.refunds, 0) or p.refunded > p.amount or "
      "coalesce(r.high, 0) <> p.refunded >> 32 or coalesce(r.low, 0) <> p.refunded & 4294967295 or "
      "p.last_refund is not r.newest or r.links <> r.refunds - 1 or r.targets <> r.refunds - 1)");
}

std::string refund_links() {
  return question(
      "select 'voucher ' || r.id as place, case when p.id is null then 'refunds voucher ' || "
      "r.original_id || ', which is missing' else 'follows refund ' || r.previous_refund || "
      "', which is not one of voucher ' || p.id end as detail from {voucher} r "
      "left join {voucher} p on p.id = r.original_id left join {voucher} b on "
      "b.id = r.previous_refund where r.original_id is not null and (p.id is null or "
      "(r.previous_refund is not null and (b.id is null or b.original_id is not r.original_id or "
      "b.id >= r.id)))");
}

std::string refund_legs() {
  return question(
      "select 'voucher ' || back.original_id as place, 'refunds took ' || back.shown || "
      "' from its leg on account ' || back.account_id || ', which has ' || "
      "coalesce(paid.amount, 'no such leg') as detail from (select v.original_id, e.account_id, "
      "e.side, " +
      high("e.amount") + " as high, " + low("e.amount") + " as low, " + shown("e.amount") +
      " as shown from {voucher} v join {entry} e on " + std::string(kOfVoucher) +
      " where v.original_id is not null group by v.original_id, e.account_id, e.side) back "
      "left join {voucher} p on p.id = back.original_id left join {entry} paid on "
      "paid.id > p.id and paid.id <= p.id + p.legs * 256 and paid.account_id = back.account_id and "
      "paid.side <> back.side where paid.id is null or back.high > paid.amount >> 32 or "
      "(back.high = paid.amount >> 32 and back.low > paid.amount & 4294967295)");
}

struct IdColumn {
  std::string_view table;
  std::string_view row;  // how the row is named: its key column
  std::string_view column;
};

constexpr std::array kIdColumns{
    IdColumn{"party", "id", "id"},
    IdColumn{"account", "id", "id"},
    IdColumn{"account", "id", "party_id"},
    IdColumn{"account", "id", "last_entry"},
    IdColumn{"voucher", "id", "id"},
    IdColumn{"voucher", "id", "original_id"},
    IdColumn{"voucher", "id", "last_refund"},
    IdColumn{"voucher", "id", "previous_refund"},
    IdColumn{"entry", "id", "id"},
    IdColumn{"entry", "id", "voucher_id"},
    IdColumn{"entry", "id", "account_id"},
    IdColumn{"entry", "id", "previous_entry"},
    IdColumn{"idempotency", "key", "voucher_id"},
};

std::string wrong_tag(const IdColumn& id, Book book) {
  const std::string column(id.column);
  return question("select '" + std::string(id.table) + " ' || " + std::string(id.row) +
                  " as place, '" + column + " ' || " + column + " || ' has tag ' || (" + column +
                  " & 255) || ', not " + std::to_string(tag_of(book)) + "' as detail from {" +
                  std::string(id.table) + "} where (" + column + " & 255) <> " +
                  std::to_string(tag_of(book)));
}

std::string missing(std::string_view table, std::string_view column, std::string_view target,
                    std::string_view key) {
  const std::string name(column);
  return question("select '" + std::string(table) + " ' || t.id as place, '" + name + " ' || t." +
                  name + " || ' is not in this book' as detail from {" + std::string(table) +
                  "} t left join {" + std::string(target) + "} o on o." + std::string(key) +
                  " = t." + name + " where t." + name + " is not null and o." + std::string(key) +
                  " is null");
}

std::string entry_currencies() {
  return question(
      "select 'entry ' || e.id as place, 'account ' || a.id || ' is kept in ' || a.currency || "
      "', its voucher in ' || v.currency as detail from {entry} e "
      "join {voucher} v on v.id = e.voucher_id join {account} a on a.id = e.account_id "
      "where a.currency <> v.currency");
}

std::string foreign_tables(Book book) {
  std::string own;
  for (const std::string_view slot : kTableSlots)
    own += (own.empty() ? "'" : ", '") + physical_table(book, slot) + "'";
  return question("select type || ' ' || name as place, 'does not belong to the " +
                  std::string(to_string(book)) +
                  " book' as detail from sqlite_schema where not (type = 'table' and name in (" +
                  own + ")) and name not like 'sqlite\\_%' escape '\\'");
}

}  // namespace

std::vector<Check> checks_of(Book book) {
  std::vector<Check> checks{
      {"tables", foreign_tables(book)},
      {"balanced", balanced_vouchers()},
      {"balanced", balanced_book()},
      {"voucher_entries", entries_of_vouchers()},
      {"voucher_entries", vouchers_of_entries()},
      {"account_balance", account_balances()},
      {"version_chain", entry_chain()},
      {"version_chain", account_heads()},
      {"subject_totals", subject_totals()},
      {"credit_line", credit_lines_now()},
      {"credit_line", credit_lines_ever()},
      {"idempotency", vouchers_of_keys()},
      {"idempotency", keys_of_vouchers()},
      {"refunds", refund_totals()},
      {"refunds", refund_links()},
      {"refunds", refund_legs()},
      {"references", missing("account", "party_id", "party", "id")},
      {"references", missing("account", "subject", "subject", "code")},
      {"references", missing("entry", "account_id", "account", "id")},
      {"references", entry_currencies()},
  };
  for (const IdColumn& column : kIdColumns) checks.push_back({"book_tag", wrong_tag(column, book)});
  return checks;
}

}  // namespace carrel::ledger
