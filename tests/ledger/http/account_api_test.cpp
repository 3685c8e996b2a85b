#include <boost/json.hpp>

#include "ledger/http/running_service.h"

namespace carrel::ledger::http {
namespace {

namespace json = boost::json;

class AccountApi : public RunningService {};

TEST_F(AccountApi, OpensAnAccountOnce) {
  const RawAnswer opened = open("alice");
  EXPECT_EQ(opened.status, 201);
  EXPECT_EQ(opened.member("account"), "alice/2001");
  EXPECT_EQ(opened.member("balance"), "0");
  EXPECT_EQ(opened.member("status"), "active");
  EXPECT_EQ(opened.header("Location"), "/v1/accounts/" + opened.member("id"));
  EXPECT_EQ(opened.header("X-Carrel-Book"), "consumer");

  const RawAnswer again = open("alice");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, opened.body);
}

TEST_F(AccountApi, ShowsAnAccountByItsIdAndByItsName) {
  const std::string id = open("alice").member("id");
  const RawAnswer by_id = get("/v1/accounts/" + id);
  EXPECT_EQ(by_id.status, 200);
  EXPECT_EQ(by_id.member("party"), "alice");
  for (const char* name : {"alice/2001", "alice%2F2001", "alice/2001?currency=CNY"})
    EXPECT_EQ(get(std::string("/v1/accounts/") + name).body, by_id.body) << name;
}

TEST_F(AccountApi, KeepsTheBooksApart) {
  const std::string id = open("alice").member("id");
  EXPECT_EQ(get("/v1/accounts/alice/2001", "merchant").status, 404);
  EXPECT_EQ(get("/v1/accounts/" + id, "merchant").status, 404);
  const RawAnswer other = open("alice", "2001", "merchant");
  EXPECT_EQ(other.status, 201);
  EXPECT_NE(other.member("id"), id);
  EXPECT_EQ(other.header("X-Carrel-Book"), "merchant");
}

struct Refused {
  const char* what;
  std::string body;
  int status;
  const char* code;
};

TEST_F(AccountApi, RefusesToOpenWhatCannotBe) {
  const Refused table[] = {
      {"no body", "", 400, "malformed_json"},
      {"no JSON", "{", 400, "malformed_json"},
      {"no object", "[1]", 400, "malformed_json"},
      {"nothing in it", "{}", 400, "invalid_request"},
      {"number for text", R"({"party":5,"subject":"2001","currency":"CNY"})", 400,
       "invalid_request"},
      {"unknown currency", R"({"party":"a","subject":"2001","currency":"XXX"})", 400,
       "invalid_request"},
      {"unknown tier", R"({"party":"a","subject":"2001","currency":"CNY","tier":4})", 400,
       "invalid_request"},
      {"bad credit line", R"({"party":"a","subject":"2001","currency":"CNY","credit_line":"1.5"})",
       400, "invalid_request"},
      {"unknown member", R"({"party":"a","subject":"2001","currency":"CNY","colour":"red"})", 400,
       "invalid_request"},
      {"bad party", R"({"party":"a b","subject":"2001","currency":"CNY"})", 400, "bad_party"},
      {"the house", R"({"party":"house","subject":"2001","currency":"CNY"})", 400,
       "party_reserved"},
      {"unknown subject", R"({"party":"a","subject":"9999","currency":"CNY"})", 400,
       "unknown_subject"},
      {"subject of the house", R"({"party":"a","subject":"1002","currency":"CNY"})", 400,
       "subject_not_for_parties"},
  };
  for (const Refused& refused : table) {
    SCOPED_TRACE(refused.what);
    const RawAnswer answer = post("/v1/accounts", refused.body);
    EXPECT_EQ(answer.status, refused.status);
    EXPECT_EQ(answer.member("code"), refused.code);
    EXPECT_EQ(answer.member("book"), "consumer");
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(answer.member("request_id"), answer.header("X-Request-Id"));
  }
  EXPECT_EQ(get("/v1/accounts/a/2001").status, 404);
}

TEST_F(AccountApi, NamesEveryFieldThatIsWrong) {
  const RawAnswer answer = post("/v1/accounts", R"({"party":5,"colour":"red"})");
  const json::array errors = json::parse(answer.member("errors")).as_array();
  std::vector<std::string> fields;
  for (const json::value& error : errors)
    fields.push_back(json::value_to<std::string>(error.at("field")));
  EXPECT_EQ(fields, (std::vector<std::string>{"party", "subject", "currency", "colour"}));
}

TEST_F(AccountApi, SaysWhatIsWrongWithAName) {
  const std::pair<const char*, const char*> table[] = {
      {"/v1/accounts/nobody/2001", "account_not_found"},
      {"/v1/accounts/257", "account_not_found"},
      {"/v1/accounts/nobody", "invalid_parameter"},
      {"/v1/accounts/-5", "invalid_parameter"},
      {"/v1/accounts/nobody/2001?currency=ABC", "invalid_parameter"},
      {"/v1/accounts/nobody/2001?curency=CNY", "unknown_parameter"},
      {"/v1/accounts/nobody/2001/entries", "account_not_found"},
      {"/v1/accounts/x/2001/entries?limit=ten", "invalid_parameter"},
      {"/v1/accounts/x/2001/entries?limit=0", "bad_limit"},
      {"/v1/accounts/x/2001/entries?limit=501", "bad_limit"},
      {"/v1/accounts/x/2001/entries?cursor=nonsense", "bad_cursor"},
  };
  open("x");
  for (const auto& [target, code] : table) EXPECT_EQ(get(target).member("code"), code) << target;
}

TEST_F(AccountApi, PagesThroughAStatement) {
  open("alice");
  for (int i = 1; i <= 5; ++i) credit("k" + std::to_string(i), "alice/2001", std::to_string(i));
  std::vector<std::string> keys;
  std::string target = "/v1/accounts/alice/2001/entries?limit=2";
  for (int page = 0; page < 3; ++page) {
    const RawAnswer answer = get(target);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const json::object document = json::parse(answer.body).as_object();
    EXPECT_EQ(document.at("account").at("balance").as_string(), "15");
    for (const json::value& entry : document.at("entries").as_array())
      keys.push_back(json::value_to<std::string>(entry.at("key")));
    EXPECT_EQ(document.contains("next_cursor"), page < 2);
    target = "/v1/accounts/alice/2001/entries?limit=2&cursor=" + answer.member("next_cursor");
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"k5", "k4", "k3", "k2", "k1"}));
}

}  // namespace
}  // namespace carrel::ledger::http
