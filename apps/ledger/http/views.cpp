#include "ledger/http/views.h"

#include <boost/json.hpp>

#include "ledger/http/timestamp.h"

namespace carrel::ledger::http {

namespace json = boost::json;

namespace {

json::object account_view(const Account& account) {
  return {{"id", std::to_string(account.id)},
          {"account", account.party.name + "/" + account.subject.code},
          {"party", account.party.name},
          {"tier", static_cast<int>(account.party.tier)},
          {"subject", account.subject.code},
          {"currency", account.currency.code()},
          {"status", to_string(account.status)},
          {"balance", std::to_string(account.balance)},
          {"available", std::to_string(account.available())},
          {"frozen", std::to_string(account.frozen)},
          {"credit_line", std::to_string(account.credit_line)},
          {"version", account.version}};
}

json::object entry_view(const Entry& entry) {
  return {{"id", std::to_string(entry.id)},
          {"voucher_id", std::to_string(entry.voucher_id)},
          {"leg", entry.leg},
          {"account_id", std::to_string(entry.account_id)},
          {"side", to_string(entry.side)},
          {"amount", std::to_string(entry.amount)},
          {"balance_after", std::to_string(entry.balance_after)},
          {"version", entry.version}};
}

json::object subject_view(const Subject& subject) {
  return {{"code", subject.code},
          {"name", subject.name},
          {"title", subject.title},
          {"type", to_string(subject.type)},
          {"normal_side", to_string(subject.normal_side)},
          {"use", to_string(subject.use)}};
}

}  // namespace

std::string to_json(const Account& account) {
  return json::serialize(account_view(account));
}

std::string to_json(const Voucher& voucher) {
  json::object view{{"id", std::to_string(voucher.id)},
                    {"key", voucher.key},
                    {"kind", to_string(voucher.kind)},
                    {"event_time", to_rfc3339(voucher.event_time)},
                    {"accounting_date", to_iso_date(voucher.accounting_date)},
                    {"currency", voucher.amount.currency().code()},
                    {"amount", std::to_string(voucher.amount.minor())},
                    {"memo", voucher.memo}};
  if (voucher.original_id) view["original_id"] = std::to_string(*voucher.original_id);
  if (voucher.kind == VoucherKind::pay) {
    view["refunded"] = std::to_string(voucher.refunded);
    view["refund_count"] = voucher.refund_count;
  }
  json::array entries;
  for (const Entry& entry : voucher.entries) entries.push_back(entry_view(entry));
  view["entries"] = std::move(entries);
  return json::serialize(view);
}

std::string to_json(const StatementPage& page) {
  json::array entries;
  for (const StatementPage::Line& line : page.lines) {
    json::object entry = entry_view(line.entry);
    entry["key"] = line.key;
    entry["kind"] = to_string(line.kind);
    entry["event_time"] = to_rfc3339(line.event_time);
    entry["memo"] = line.memo;
    entries.push_back(std::move(entry));
  }
  json::object view{{"account", account_view(page.account)}, {"entries", std::move(entries)}};
  if (!page.next_cursor.empty()) view["next_cursor"] = page.next_cursor;
  return json::serialize(view);
}

std::string to_json(Book book, std::span<const Subject> subjects) {
  json::array list;
  for (const Subject& subject : subjects) list.push_back(subject_view(subject));
  return json::serialize(json::object{{"book", to_string(book)}, {"subjects", std::move(list)}});
}

std::string to_json(Book book, const TrialBalance& balance) {
  json::array lines;
  for (const TrialBalanceLine& line : balance.lines)
    lines.push_back(json::object{{"subject", line.subject.code},
                                 {"name", line.subject.name},
                                 {"title", line.subject.title},
                                 {"currency", line.currency.code()},
                                 {"accounts", line.accounts},
                                 {"debit", std::to_string(line.debit)},
                                 {"credit", std::to_string(line.credit)}});
  json::array totals;
  for (const TrialBalanceTotal& total : balance.totals)
    totals.push_back(json::object{{"currency", total.currency.code()},
                                  {"debit", std::to_string(total.debit)},
                                  {"credit", std::to_string(total.credit)},
                                  {"balanced", total.balanced()}});
  return json::serialize(json::object{
      {"book", to_string(book)}, {"lines", std::move(lines)}, {"totals", std::move(totals)}});
}

std::string to_json(const CheckReport& report) {
  json::object rows;
  for (const RowCount& count : report.counts) rows[count.table] = count.rows;
  json::array violations;
  for (const Violation& violation : report.violations)
    violations.push_back(json::object{
        {"check", violation.check}, {"row", violation.row}, {"detail", violation.detail}});
  return json::serialize(json::object{{"book", to_string(report.book)},
                                      {"clean", report.clean()},
                                      {"rows", std::move(rows)},
                                      {"violation_count", report.violation_count},
                                      {"violations", std::move(violations)}});
}

}  // namespace carrel::ledger::http
