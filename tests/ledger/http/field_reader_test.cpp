#include "ledger/http/field_reader.h"

#include <gtest/gtest.h>

namespace carrel::ledger::http {
namespace {

std::vector<std::string> noted_in(const JsonBody& body) {
  std::vector<std::string> lines;
  if (const auto problem = body.problem())
    for (const FieldError& error : problem->errors)
      lines.push_back(error.field + " " + error.detail);
  return lines;
}

TEST(FieldReader, ReadsWhatIsThere) {
  JsonBody body(R"({"name":"a","count":7,"keys":["x","y"],"legs":[{"side":"debit"}],"gone":null})");
  FieldReader fields = body.fields();
  EXPECT_EQ(fields.text("name"), "a");
  EXPECT_EQ(fields.optional_number("count"), 7);
  EXPECT_EQ(fields.texts("keys"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(fields.optional_text("gone"), std::nullopt);
  EXPECT_EQ(fields.optional_text("never"), std::nullopt);
  std::vector<FieldReader> legs = fields.objects("legs");
  ASSERT_EQ(legs.size(), 1u);
  EXPECT_EQ(legs.front().text("side"), "debit");
  legs.front().expect_no_more();
  fields.expect_no_more();
  EXPECT_EQ(body.problem(), std::nullopt);
}

TEST(FieldReader, NotesEveryMistakeWithItsPlace) {
  JsonBody body(R"({"name":1,"count":"7","keys":["x",2],"legs":[{"side":true},5],"tpyo":1})");
  FieldReader fields = body.fields();
  EXPECT_EQ(fields.text("name"), "");
  EXPECT_EQ(fields.text("party"), "");
  EXPECT_EQ(fields.optional_number("count"), std::nullopt);
  EXPECT_EQ(fields.texts("keys"), std::vector<std::string>{"x"});
  EXPECT_TRUE(fields.texts("more").empty());
  for (FieldReader& leg : fields.objects("legs")) EXPECT_EQ(leg.text("side"), "");
  fields.reject("name", "is taken");
  fields.expect_no_more();
  EXPECT_EQ(noted_in(body),
            (std::vector<std::string>{
                "name must be a string", "party is required", "count must be a whole number",
                "keys[1] must be a string", "more is required", "legs[1] must be an object",
                "legs[0].side must be a string", "name is taken", "tpyo is not known here"}));
  EXPECT_EQ(body.problem()->status, 400u);
  EXPECT_EQ(body.problem()->code, "invalid_request");
}

TEST(FieldReader, SaysWhenTheBodyIsNoJsonObject) {
  for (const char* text : {"", "{", "[]", "\"text\"", "{} {}", "{\"a\":}", "nonsense",
                           R"({"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}})"}) {
    JsonBody body(text);
    FieldReader fields = body.fields();
    EXPECT_EQ(fields.text("a"), "");
    EXPECT_TRUE(fields.objects("b").empty());
    fields.expect_no_more();
    ASSERT_TRUE(body.problem()) << text;
    EXPECT_EQ(body.problem()->code, "malformed_json") << text;
  }
}

}  // namespace
}  // namespace carrel::ledger::http
