#include "ledger/http/url.h"

#include <gtest/gtest.h>

namespace carrel::ledger::http {
namespace {

TEST(Target, SplitsAndDecodes) {
  const auto target = parse_target("/v1/accounts/alice%2F2001/entries?limit=5&memo=a+b%21&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->segments,
            (std::vector<std::string>{"v1", "accounts", "alice/2001", "entries"}));
  EXPECT_EQ(target->query_value("limit"), "5");
  EXPECT_EQ(target->query_value("memo"), "a b!");
  EXPECT_EQ(target->query_value("flag"), "");
  EXPECT_EQ(target->query_value("other"), std::nullopt);
}

TEST(Target, KeepsAPlusOfThePath) {
  EXPECT_EQ(parse_target("/a+b")->segments.front(), "a+b");
}

TEST(Target, CountsTheRootAndATrailingSlashAsEmptySegments) {
  EXPECT_EQ(parse_target("/")->segments, std::vector<std::string>{""});
  EXPECT_EQ(parse_target("/a/")->segments, (std::vector<std::string>{"a", ""}));
}

TEST(Target, RefusesWhatIsNoPath) {
  for (const char* text :
       {"", "*", "http://host/", "a/b", "/%", "/%4", "/%zz", "/%00", "/%0a", "/?a=%", "/?%0d=1"})
    EXPECT_FALSE(parse_target(text)) << text;
}

}  // namespace
}  // namespace carrel::ledger::http
