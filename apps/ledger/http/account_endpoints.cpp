#include <charconv>
#include <variant>

#include "ledger/http/endpoints.h"
#include "ledger/http/failure.h"
#include "ledger/http/field_reader.h"
#include "ledger/http/views.h"
#include "ledger/posting/ledger.h"

namespace carrel::ledger::http {
namespace {

Problem bad_parameter(std::string_view name, std::string_view must) {
  return {.status = 400,
          .code = "invalid_parameter",
          .detail = "'" + std::string(name) + "' " + std::string(must) + "."};
}

// The account that path and ?currency= name together.
std::variant<AccountQuery, Problem> read_query(const Call& call) {
  const auto ref = AccountRef::parse(call.values.front());
  if (!ref) return bad_parameter("account", "must be an id or party/subject, as in alice/2001");
  AccountQuery query{.ref = *ref};
  if (const auto code = call.target.query_value("currency")) {
    const auto currency = Currency::find(*code);
    if (!currency) return bad_parameter("currency", "must be a known code, as CNY");
    query.currency = *currency;
  }
  return query;
}

Response open_account(Ledger& ledger, const Call& call) {
  JsonBody body(call.request.body);
  FieldReader fields = body.fields();
  OpenAccountRequest request{.party = fields.text("party"), .subject = fields.text("subject")};
  const std::string code = fields.text("currency");
  const auto currency = Currency::find(code);
  if (currency)
    request.currency = *currency;
  else if (!code.empty())
    fields.reject("currency", "must be a known code, as CNY");
  if (const auto tier = fields.optional_number("tier")) {
    request.tier = parse_tier(*tier);
    if (!request.tier) fields.reject("tier", "must be 1, 2 or 3");
  }
  if (const auto credit_line = fields.optional_text("credit_line")) {
    request.credit_line = parse_minor_units(*credit_line);
    if (!request.credit_line) fields.reject("credit_line", "must be minor units in digits");
  }
  fields.expect_no_more();
  if (const auto problem = body.problem()) return refused(call, *problem);

  const Outcome<OpenedAccount> outcome = ledger.open_account(request);
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  Response response{.status = outcome->created ? 201U : 200U, .body = to_json(outcome->account)};
  response.headers.add("Location", "/v1/accounts/" + std::to_string(outcome->account.id));
  return response;
}

Response show_account(Ledger& ledger, const Call& call) {
  const auto query = read_query(call);
  if (const auto* problem = std::get_if<Problem>(&query)) return refused(call, *problem);
  const Outcome<Account> outcome = ledger.find_account(std::get<AccountQuery>(query));
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  return {.body = to_json(outcome.value())};
}

Response show_entries(Ledger& ledger, const Call& call) {
  const auto query = read_query(call);
  if (const auto* problem = std::get_if<Problem>(&query)) return refused(call, *problem);
  StatementQuery statement{.account = std::get<AccountQuery>(query)};
  if (const auto limit = call.target.query_value("limit")) {
    const auto [end, error] =
        std::from_chars(limit->data(), limit->data() + limit->size(), statement.limit);
    if (error != std::errc{} || end != limit->data() + limit->size())
      return refused(call, bad_parameter("limit", "must be a number"));
  }
  statement.cursor = call.target.query_value("cursor").value_or("");
  const Outcome<StatementPage> outcome = ledger.statement(statement);
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  return {.body = to_json(outcome.value())};
}

}  // namespace

std::vector<Endpoint> account_endpoints(Ledger& ledger) {
  return {
      {.method = "POST",
       .route = "/v1/accounts",
       .takes = Takes::json,
       .handle = [&](const Call& call) { return open_account(ledger, call); }},
      {.method = "GET",
       .route = "/v1/accounts/{account+}/entries",
       .query = {"limit", "cursor", "currency"},
       .handle = [&](const Call& call) { return show_entries(ledger, call); }},
      {.method = "GET",
       .route = "/v1/accounts/{account+}",
       .query = {"currency"},
       .handle = [&](const Call& call) { return show_account(ledger, call); }},
  };
}

}  // namespace carrel::ledger::http
