#include <charconv>

#include "ledger/http/endpoints.h"
#include "ledger/http/failure.h"
#include "ledger/http/field_reader.h"
#include "ledger/http/keys_in_progress.h"
#include "ledger/http/timestamp.h"
#include "ledger/http/views.h"
#include "ledger/posting/ledger.h"

namespace carrel::ledger::http {
namespace {

// Any leg will do where one is wrong: what is wrong is noted and the request goes no further.
std::optional<Leg> read_leg(FieldReader& fields, Currency currency) {
  const std::string account = fields.text("account");
  const std::string side = fields.text("side");
  const std::string amount = fields.text("amount");
  fields.expect_no_more();
  const auto ref = AccountRef::parse(account);
  const auto parsed_side = parse_side(side);
  const auto minor = parse_minor_units(amount);
  if (!ref && !account.empty())
    fields.reject("account", "must be an id or party/subject, as alice/2001");
  if (!parsed_side && !side.empty()) fields.reject("side", "must be debit or credit");
  if (!minor && !amount.empty()) fields.reject("amount", "must be minor units in digits");
  if (!ref || !parsed_side || !minor) return std::nullopt;
  return Leg{*ref, *parsed_side, {*minor, currency}};
}

VoucherRequest read_voucher(FieldReader fields, std::string key) {
  VoucherRequest request{.key = std::move(key)};
  const std::string kind = fields.text("kind");
  if (const auto parsed = parse_voucher_kind(kind))
    request.kind = *parsed;
  else if (!kind.empty())
    fields.reject("kind", "must be credit, pay or refund");

  const std::string code = fields.text("currency");
  const auto currency = Currency::find(code);
  if (!currency && !code.empty()) fields.reject("currency", "must be a known code, as CNY");
  for (FieldReader& leg : fields.objects("legs"))
    if (const auto parsed = read_leg(leg, currency.value_or(Currency::cny())))
      request.legs.push_back(*parsed);

  if (const auto text = fields.optional_text("event_time")) {
    request.event_time = parse_rfc3339(*text);
    if (!request.event_time) fields.reject("event_time", "must be a time, as 2026-01-31T12:00:00Z");
  }
  request.memo = fields.optional_text("memo").value_or("");
  request.original = fields.optional_text("original").value_or("");
  fields.expect_no_more();
  return request;
}

Response post_voucher(Ledger& ledger, KeysInProgress& keys, const Call& call) {
  const auto key = call.request.headers.find("Idempotency-Key");
  if (!key || key->empty())
    return refused(call, Problem{.status = 400,
                                 .code = "idempotency_key_missing",
                                 .detail = "Posting needs an Idempotency-Key header: any text that "
                                           "names this voucher, and no other, in its book."});
  JsonBody body(call.request.body);
  const VoucherRequest request = read_voucher(body.fields(), std::string(*key));
  if (const auto problem = body.problem()) return refused(call, *problem);

  const auto claim = keys.claim(*call.book, *key);
  if (!claim)
    return refused(call, Problem{.status = 409,
                                 .code = "key_in_progress",
                                 .detail = "A request with this Idempotency-Key is being worked "
                                           "on. Send it again in a moment.",
                                 .retry_after = std::chrono::seconds(1)});
  const Outcome<PostedVoucher> outcome = ledger.post_voucher(request);
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  Response response{.status = 201, .body = to_json(outcome->voucher)};
  response.headers.add("Location", "/v1/vouchers/" + std::to_string(outcome->voucher.id));
  if (outcome->replayed) response.headers.add("Idempotency-Replayed", "true");
  return response;
}

Response show_voucher(Ledger& ledger, const Call& call) {
  const std::string& text = call.values.front();
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size())
    return refused(call, Problem{.status = 400,
                                 .code = "invalid_parameter",
                                 .detail = "A voucher's id is a number; to find a voucher by its "
                                           "key, ask for /v1/vouchers?key=."});
  const Outcome<Voucher> outcome = ledger.find_voucher(id);
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  return {.body = to_json(outcome.value())};
}

Response find_voucher(Ledger& ledger, const Call& call) {
  const auto key = call.target.query_value("key");
  if (!key)
    return refused(call, Problem{.status = 400,
                                 .code = "invalid_parameter",
                                 .detail = "Name the voucher by ?key= and its Idempotency-Key."});
  const Outcome<Voucher> outcome = ledger.find_voucher_by_key(std::string(*key));
  if (!outcome.accepted()) return refused(call, outcome.refusal());
  return {.body = to_json(outcome.value())};
}

}  // namespace

std::vector<Endpoint> voucher_endpoints(Ledger& ledger, KeysInProgress& keys) {
  return {
      {.method = "POST",
       .route = "/v1/vouchers",
       .takes = Takes::json,
       .handle = [&](const Call& call) { return post_voucher(ledger, keys, call); }},
      {.method = "GET",
       .route = "/v1/vouchers",
       .query = {"key"},
       .handle = [&](const Call& call) { return find_voucher(ledger, call); }},
      {.method = "GET",
       .route = "/v1/vouchers/{id}",
       .handle = [&](const Call& call) { return show_voucher(ledger, call); }},
  };
}

}  // namespace carrel::ledger::http
