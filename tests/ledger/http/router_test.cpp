#include "ledger/http/router.h"

#include <gtest/gtest.h>

namespace carrel::ledger::http {
namespace {

Endpoint endpoint(std::string method, std::string route) {
  return {.method = std::move(method), .route = std::move(route), .handle = [](const Call&) {
            return Response{};
          }};
}

class RouterTable : public testing::Test {
 protected:
  [[nodiscard]] Match find(std::string_view method, std::string_view path) const {
    return router_.find(method, *parse_target(path));
  }
  // The route found and the values of its placeholders, as one text.
  [[nodiscard]] std::string found(std::string_view method, std::string_view path) const {
    const Match match = find(method, path);
    if (match.endpoint == nullptr) return "none";
    std::string text = match.endpoint->name();
    for (const std::string& value : match.values) text += " [" + value + "]";
    return text;
  }

  Router router_{{endpoint("POST", "/v1/accounts"), endpoint("GET", "/v1/accounts/{a+}/entries"),
                  endpoint("GET", "/v1/accounts/{a+}"), endpoint("GET", "/v1/vouchers/{id}"),
                  endpoint("GET", "/v1/check"), endpoint("POST", "/v1/check")}};
};

TEST_F(RouterTable, FindsAnEndpointAndItsValues) {
  EXPECT_EQ(found("POST", "/v1/accounts"), "POST /v1/accounts");
  EXPECT_EQ(found("GET", "/v1/accounts/17"), "GET /v1/accounts/{a+} [17]");
  EXPECT_EQ(found("GET", "/v1/accounts/alice/2001"), "GET /v1/accounts/{a+} [alice/2001]");
  EXPECT_EQ(found("GET", "/v1/accounts/alice%2F2001"), "GET /v1/accounts/{a+} [alice/2001]");
  EXPECT_EQ(found("GET", "/v1/accounts/17/entries"), "GET /v1/accounts/{a+}/entries [17]");
  EXPECT_EQ(found("GET", "/v1/accounts/alice/2001/entries"),
            "GET /v1/accounts/{a+}/entries [alice/2001]");
  EXPECT_EQ(found("POST", "/v1/check"), "POST /v1/check");
}

TEST_F(RouterTable, FindsForHeadWhatGetWouldFind) {
  EXPECT_EQ(found("HEAD", "/v1/vouchers/5"), "GET /v1/vouchers/{id} [5]");
}

TEST_F(RouterTable, KnowsNoOtherPaths) {
  for (const char* path : {"/", "/v1", "/v1/", "/v1/accounts/", "/v1/accounts/a/b/c",
                           "/v1/vouchers/5/6", "/v1/vouchers/", "/V1/check", "/v1/check/"}) {
    EXPECT_EQ(found("GET", path), "none") << path;
    EXPECT_EQ(find("GET", path).allow, "") << path;
  }
}

TEST_F(RouterTable, SaysWhichMethodsAPathHas) {
  EXPECT_EQ(find("DELETE", "/v1/check").allow, "GET, HEAD, POST");
  EXPECT_EQ(find("GET", "/v1/accounts").allow, "POST");
  EXPECT_EQ(find("POST", "/v1/accounts/17/entries").allow, "GET, HEAD");
}

}  // namespace
}  // namespace carrel::ledger::http
