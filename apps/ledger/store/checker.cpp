#include "ledger/store/checker.h"

#include <algorithm>
#include <string_view>

#include "carrel/session/session.h"
#include "ledger/store/checks.h"
#include "ledger/store/schema.h"
#include "ledger/store/store.h"

namespace carrel::ledger {
namespace {

void ask(Session& session, const Check& check, const CheckOptions& options, CheckReport& report) {
  const Result rows = session.execute(check.sql, std::max<std::size_t>(1, options.violations_max));
  if (rows.empty()) return;
  report.violation_count += rows[0].get<std::int64_t>(2);
  for (const Row row : rows) {
    if (options.violations_max == 0) break;
    report.violations.push_back(
        {std::string(check.name), row.get<std::string>(0), row.get<std::string>(1)});
  }
}

void count_rows(Session& session, CheckReport& report) {
  for (const std::string_view slot : kTableSlots) {
    if (slot == "schema_version") continue;
    const std::string name(slot);
    report.counts.push_back(
        {name, session.execute("select count(*) from {" + name + "}").one().get<std::int64_t>(0)});
  }
}

void check_acknowledged(Session& session, const CheckOptions& options, CheckReport& report) {
  std::size_t missing = 0;
  for (const std::string& key : options.acknowledged_keys) {
    const Result found = session.execute(
        "select 1 from {idempotency} i join {voucher} v on v.id = i.voucher_id where i.key = $1",
        key);
    if (!found.empty()) continue;
    if (++missing <= options.violations_max)
      report.violations.push_back(
          {"acknowledged", "key " + key, "was acknowledged and is missing"});
  }
  report.violation_count += static_cast<std::int64_t>(missing);
  report.counts.push_back(
      {"acknowledged", static_cast<std::int64_t>(options.acknowledged_keys.size())});
}

}  // namespace

CheckReport check_book(Store& store, const CheckOptions& options) {
  Session& session = store.session();
  const Book book = store.book().current();
  return session.transaction({.read_only = true}, [&] {
    CheckReport report;
    report.book = book;
    count_rows(session, report);
    for (const Check& check : checks_of(book)) ask(session, check, options, report);
    check_acknowledged(session, options, report);
    return report;
  });
}

}  // namespace carrel::ledger
