#include <boost/json.hpp>

#include "ledger/http/running_service.h"

namespace carrel::ledger::http {
namespace {

namespace json = boost::json;

class VoucherApi : public RunningService {
 protected:
  void SetUp() override {
    RunningService::SetUp();
    open("alice");
    open("shop", "2002");
  }
};

TEST_F(VoucherApi, BooksAVoucherAndShowsIt) {
  const RawAnswer answer = credit("first", "alice/2001", "10000");
  ASSERT_EQ(answer.status, 201) << answer.body;
  EXPECT_EQ(answer.header("Idempotency-Replayed"), "");
  EXPECT_EQ(answer.member("key"), "first");
  EXPECT_EQ(answer.member("kind"), "credit");
  EXPECT_EQ(answer.member("amount"), "10000");
  const json::value document = json::parse(answer.body);
  EXPECT_EQ(document.at("entries").as_array().size(), 2u);
  EXPECT_EQ(document.at("entries").at(1).at("balance_after").as_string(), "10000");

  EXPECT_EQ(answer.header("Location"), "/v1/vouchers/" + answer.member("id"));
  EXPECT_EQ(get(answer.header("Location")).body, answer.body);
  EXPECT_EQ(get("/v1/vouchers?key=first").body, answer.body);
  EXPECT_EQ(balance("alice/2001"), "10000");
  EXPECT_EQ(balance("house/1002"), "10000");
}

TEST_F(VoucherApi, ReplaysTheAnswerOfTheSameRequest) {
  const RawAnswer first = credit("k", "alice/2001", "500");
  ASSERT_EQ(book("p", "pay", "alice/2001", "shop/2002", "100").status, 201);
  const RawAnswer again = credit("k", "alice/2001", "500");
  EXPECT_EQ(again.status, first.status);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(balance("alice/2001"), "400");
}

TEST_F(VoucherApi, ReplaysAPaymentAsItWasBeforeItsRefund) {
  credit("k", "alice/2001", "500");
  const RawAnswer first = book("p", "pay", "alice/2001", "shop/2002", "100");
  const RawAnswer refund =
      book("r", "refund", "shop/2002", "alice/2001", "30", R"(,"original":"p")");
  ASSERT_EQ(refund.status, 201) << refund.body;
  EXPECT_EQ(refund.member("original_id"), first.member("id"));
  EXPECT_EQ(book("p", "pay", "alice/2001", "shop/2002", "100").body, first.body);
  EXPECT_EQ(get("/v1/vouchers?key=p").member("refunded"), "30");
  EXPECT_EQ(balance("alice/2001"), "430");
}

TEST_F(VoucherApi, RefusesAKeyThatBelongsToAnotherBody) {
  credit("k", "alice/2001", "500");
  const RawAnswer answer = credit("k", "alice/2001", "501");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.member("code"), "key_reused");
  EXPECT_EQ(balance("alice/2001"), "500");
}

TEST_F(VoucherApi, TellsTheBooksKeysApart) {
  open("alice", "2001", "merchant");
  EXPECT_EQ(credit("k", "alice/2001", "500").status, 201);
  const RawAnswer other = credit("k", "alice/2001", "700", "merchant");
  EXPECT_EQ(other.status, 201);
  EXPECT_EQ(other.header("Idempotency-Replayed"), "");
  EXPECT_EQ(balance("alice/2001"), "500");
  EXPECT_EQ(balance("alice/2001", "merchant"), "700");
}

TEST_F(VoucherApi, AsksForAKey) {
  const std::string body = voucher("credit", "house/1002", "alice/2001", "5");
  for (const HeaderLines& headers : {HeaderLines{}, HeaderLines{{"Idempotency-Key", ""}}}) {
    const RawAnswer answer = post("/v1/vouchers", body, headers);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.member("code"), "idempotency_key_missing");
  }
  const RawAnswer twice =
      post("/v1/vouchers", body, {{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}});
  EXPECT_EQ(twice.member("code"), "repeated_header");
  EXPECT_EQ(balance("alice/2001"), "0");
}

TEST_F(VoucherApi, SaysWhichRuleRefused) {
  credit("k", "alice/2001", "100");
  const RawAnswer answer = book("p", "pay", "alice/2001", "shop/2002", "101");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.member("code"), "insufficient_funds");
  EXPECT_EQ(answer.member("rule"), "consumer.no_overdraft");
  EXPECT_EQ(answer.member("book"), "consumer");
  EXPECT_EQ(balance("alice/2001"), "100");
  EXPECT_EQ(get("/v1/vouchers?key=p").status, 404);

  credit("k2", "alice/2001", "1");
  EXPECT_EQ(book("p", "pay", "alice/2001", "shop/2002", "101").status, 201);  // may be retried
}

TEST_F(VoucherApi, RefusesWhatIsNoVoucher) {
  const std::string legs = R"("legs":[{"account":"house/1002","side":"debit","amount":"5"},)"
                           R"({"account":"alice/2001","side":"credit","amount":"5"}])";
  const std::string good = R"({"kind":"credit","currency":"CNY",)" + legs;
  struct {
    const char* what;
    std::string body;
    int status;
    const char* code;
  } const table[] = {
      {"empty", "{}", 400, "invalid_request"},
      {"unknown kind", R"({"kind":"gift","currency":"CNY",)" + legs + "}", 400, "invalid_request"},
      {"unknown currency", R"({"kind":"credit","currency":"???",)" + legs + "}", 400,
       "invalid_request"},
      {"legs no array", R"({"kind":"credit","currency":"CNY","legs":{}})", 400, "invalid_request"},
      {"leg no object", R"({"kind":"credit","currency":"CNY","legs":[1,2]})", 400,
       "invalid_request"},
      {"amount a number",
       R"({"kind":"credit","currency":"CNY","legs":[{"account":"house/1002","side":"debit",)"
       R"("amount":5},{"account":"alice/2001","side":"credit","amount":5}]})",
       400, "invalid_request"},
      {"bad event time", good + R"(,"event_time":"yesterday"})", 400, "invalid_request"},
      {"unknown member", good + R"(,"Memo":"x"})", 400, "invalid_request"},
      {"no legs", R"({"kind":"credit","currency":"CNY","legs":[]})", 400, "too_few_legs"},
      {"unbalanced",
       R"({"kind":"credit","currency":"CNY","legs":[{"account":"house/1002","side":"debit",)"
       R"("amount":"5"},{"account":"alice/2001","side":"credit","amount":"6"}]})",
       400, "unbalanced"},
      {"original without refund", good + R"(,"original":"k"})", 400, "original_unexpected"},
      {"unknown account", voucher("credit", "house/1002", "nobody/2001", "5"), 404,
       "account_not_found"},
      {"negative", voucher("credit", "house/1002", "alice/2001", "-5"), 400, "amount_not_positive"},
  };
  for (const auto& refused : table) {
    SCOPED_TRACE(refused.what);
    const RawAnswer answer = post("/v1/vouchers", refused.body, {{"Idempotency-Key", "bad"}});
    EXPECT_EQ(answer.status, refused.status) << answer.body;
    EXPECT_EQ(answer.member("code"), refused.code);
  }
  EXPECT_EQ(balance("alice/2001"), "0");
  EXPECT_EQ(get("/v1/vouchers?key=bad").status, 404);
}

TEST_F(VoucherApi, KeepsMemoAndEventTime) {
  const RawAnswer answer = book("k", "credit", "house/1002", "alice/2001", "5",
                                R"(,"memo":"工资","event_time":"2026-01-31T20:00:00+08:00")");
  EXPECT_EQ(answer.member("memo"), "工资");
  EXPECT_EQ(answer.member("event_time"), "2026-01-31T12:00:00.000000Z");
}

TEST_F(VoucherApi, SaysWhenThereIsNoSuchVoucher) {
  EXPECT_EQ(get("/v1/vouchers/257").member("code"), "voucher_not_found");
  EXPECT_EQ(get("/v1/vouchers/first").member("code"), "invalid_parameter");
  EXPECT_EQ(get("/v1/vouchers").member("code"), "invalid_parameter");
  const std::string id = credit("k", "alice/2001", "5").member("id");
  EXPECT_EQ(get("/v1/vouchers/" + id, "merchant").status, 404);
}

}  // namespace
}  // namespace carrel::ledger::http
