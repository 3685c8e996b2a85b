#include "ledger/http/endpoints.h"
#include "ledger/http/failure.h"
#include "ledger/http/field_reader.h"
#include "ledger/http/views.h"
#include "ledger/posting/ledger.h"

namespace carrel::ledger::http {
namespace {

// These read every row of a book, however many there are.
constexpr std::chrono::minutes kWholeBookWaitMax{60};

// Only whether these keys have their vouchers: a list of any length is sent page by page, and the
// whole check need not run for each.
Response check_keys(Ledger& ledger, const Call& call) {
  JsonBody body(call.request.body);
  FieldReader fields = body.fields();
  const std::vector<std::string> keys = fields.texts("acknowledged_keys");
  fields.expect_no_more();
  if (const auto problem = body.problem()) return refused(call, *problem);
  CheckReport report;
  report.book = *call.book;
  report.counts = {{"acknowledged", static_cast<std::int64_t>(keys.size())}};
  for (const std::string& key : keys)
    if (!ledger.find_voucher_by_key(key).accepted())
      report.violations.push_back(
          {.check = "acknowledged", .row = "key " + key, .detail = "has no voucher"});
  report.violation_count = static_cast<std::int64_t>(report.violations.size());
  return {.body = to_json(report)};
}

}  // namespace

std::vector<Endpoint> book_endpoints(Ledger& ledger) {
  return {
      {.method = "GET",
       .route = "/v1/subjects",
       .handle =
           [&](const Call& call) {
             return Response{.body = to_json(*call.book, ledger.subjects())};
           }},
      {.method = "GET",
       .route = "/v1/trial-balance",
       .handle =
           [&](const Call& call) {
             return Response{.body = to_json(*call.book, ledger.trial_balance())};
           },
       .wait_max = kWholeBookWaitMax},
      {.method = "GET",
       .route = "/v1/check",
       .handle = [&](const Call&) { return Response{.body = to_json(ledger.check())}; },
       .wait_max = kWholeBookWaitMax},
      {.method = "POST",
       .route = "/v1/check",
       .takes = Takes::json,
       .handle = [&](const Call& call) { return check_keys(ledger, call); },
       .wait_max = kWholeBookWaitMax},
  };
}

}  // namespace carrel::ledger::http
