#include "client/operation.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

namespace carrel::client {
namespace {

Operation parsed(std::string_view text) {
  auto result = parse_operation(text, 1);
  if (const auto* malformed = std::get_if<Malformed>(&result))
    ADD_FAILURE() << malformed->reason << " in " << text;
  auto* operation = std::get_if<Operation>(&result);
  return operation ? *operation : Operation{};
}

std::string complaint(std::string_view text) {
  auto result = parse_operation(text, 7);
  const auto* malformed = std::get_if<Malformed>(&result);
  if (malformed == nullptr) return "";
  EXPECT_EQ(malformed->line, 7u);
  return malformed->reason;
}

TEST(Operation, OpenBecomesAnAccountRequest) {
  const Operation open =
      parsed(R"({"op":"open","book":"consumer","account":"c17/2001","currency":"CNY"})");
  EXPECT_EQ(open.kind, Kind::open);
  EXPECT_EQ(open.book, Book::consumer);
  EXPECT_EQ(target_of(open), "/v1/accounts");
  EXPECT_EQ(body_of(open), R"({"party":"c17","subject":"2001","currency":"CNY"})");
}

TEST(Operation, CreditComesFromTheHouseUnlessItSaysOtherwise) {
  const Operation credit = parsed(
      R"({"op":"credit","book":"merchant","key":"k1","to":"m1/2001","amount":"10000","currency":"CNY"})");
  EXPECT_EQ(target_of(credit), "/v1/vouchers");
  EXPECT_EQ(body_of(credit), R"({"kind":"credit","currency":"CNY","legs":[)"
                             R"({"account":"house/1002","side":"debit","amount":"10000"},)"
                             R"({"account":"m1/2001","side":"credit","amount":"10000"}]})");
}

TEST(Operation, RefundNamesItsOriginalAndOptionalFieldsTravel) {
  const Operation refund = parsed(
      R"({"op":"refund","book":"consumer","key":"k3","original":"k2","from":"s/2002","to":"99",)"
      R"("amount":"300","currency":"CNY","memo":"say \"sorry\"","after":["k1","k0"]})");
  EXPECT_EQ(refund.after, (std::vector<std::string>{"k1", "k0"}));
  const std::string body = body_of(refund);
  EXPECT_NE(body.find(R"("original":"k2")"), std::string::npos) << body;
  EXPECT_NE(body.find(R"("memo":"say \"sorry\"")"), std::string::npos) << body;
  EXPECT_EQ(body.find("after"), std::string::npos) << body;
}

TEST(Operation, MalformedLinesAreNamedForWhatIsWrong) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"op":"open")", "not JSON"},
      {R"([1])", "not a JSON object"},
      {R"({"book":"consumer","account":"a/1","currency":"CNY"})", "\"op\" is missing"},
      {R"({"op":"open","account":"a/1","currency":"CNY"})", "\"book\" is missing"},
      {R"({"op":"give","book":"consumer"})", "unknown op \"give\""},
      {R"({"op":"open","book":"both","account":"a/1","currency":"CNY"})", "unknown book \"both\""},
      {R"({"op":"open","book":"consumer","account":"a","currency":"CNY"})", "party/subject"},
      {R"({"op":"open","book":"consumer","account":"12","currency":"CNY"})", "party/subject"},
      {R"({"op":"open","book":"consumer","account":"a/b/c","currency":"CNY"})", "party/subject"},
      {R"({"op":"open","book":"consumer","acount":"a/1","currency":"CNY"})",
       "unknown field \"acount\""},
      {R"({"op":"open","book":"consumer","account":7,"currency":"CNY"})", "must be a string"},
      {R"({"op":"open","book":"consumer","account":"a/1","currency":"CNY","amount":"1"})",
       "does not belong in open"},
      {R"({"op":"pay","book":"consumer","key":"k","from":"a/1","amount":"1","currency":"CNY"})",
       "\"to\" is missing from pay"},
      {R"({"op":"pay","book":"consumer","from":"a/1","to":"b/1","amount":"1","currency":"CNY"})",
       "\"key\" is missing from pay"},
      {R"({"op":"pay","book":"consumer","key":"k","from":"a/1","to":"b/1","amount":"-1","currency":"CNY"})",
       "\"amount\" must be digits"},
      {R"({"op":"pay","book":"consumer","key":"k","from":"a/1","to":"b/1","amount":"1.5","currency":"CNY"})",
       "\"amount\" must be digits"},
      {R"({"op":"refund","book":"consumer","key":"k","from":"a/1","to":"b/1","amount":"1","currency":"CNY"})",
       "\"original\" is missing from refund"},
      {R"({"op":"pay","book":"consumer","key":"k\r\nX: y","from":"a/1","to":"b/1","amount":"1","currency":"CNY"})",
       "visible ASCII"},
      {R"({"op":"pay","book":"consumer","key":"k","from":"a/1","to":"b/1","amount":"1","currency":"CNY","after":"j"})",
       "list of keys"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_NE(complaint(text).find(expected), std::string::npos)
        << text << "\n  complaint: " << complaint(text) << "\n  expected:  " << expected;
}

}  // namespace
}  // namespace carrel::client
