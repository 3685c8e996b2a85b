#include "carrel/scope/trace_context.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

namespace carrel {
namespace {

// The example of https://www.w3.org/TR/trace-context-1/#examples-of-http-traceparent-headers
constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string replaced(std::size_t at, std::string_view by) {
  std::string text{kExample};
  text.replace(at, by.size(), by);
  return text;
}

TEST(TraceContext, ReadsTheExampleOfTheStandard) {
  const auto context = TraceContext::parse(kExample);

  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->span_id,
            (std::array<std::uint8_t, 8>{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}));
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(context->to_string(), kExample);
}

TEST(TraceContext, RefusesWhatIsMalformed) {
  const std::string example{kExample};
  const struct {
    const char* why;
    std::string text;
  } cases[] = {
      {"empty", ""},
      {"one character short", example.substr(0, example.size() - 1)},
      {"version alone", "00"},
      {"version and trace id alone", example.substr(0, 35)},
      {"version 00 with a further field", example + "-what-the-future-holds"},
      {"version 00 with a trailing dash", example + "-"},
      {"version 00 with a trailing character", example + "0"},
      {"version ff", replaced(0, "ff")},
      {"version in upper case", replaced(0, "0A")},
      {"version not hexadecimal", replaced(0, "0g")},
      {"version with a sign", replaced(0, "+0")},
      {"a later version that runs on without a dash", replaced(0, "01") + "x"},
      {"a later version that is too short", replaced(0, "01").substr(0, 54)},
      {"trace id all zero", replaced(3, "00000000000000000000000000000000")},
      {"trace id in upper case", replaced(3, "4BF92F3577B34DA6A3CE929D0E0E4736")},
      {"trace id not hexadecimal", replaced(3, "4bf92f3577b34da6a3ce929d0e0e473z")},
      {"trace id with a space", replaced(3, " ")},
      {"span id all zero", replaced(36, "0000000000000000")},
      {"span id in upper case", replaced(36, "00F067AA0BA902B7")},
      {"span id not hexadecimal", replaced(36, ".0f067aa0ba902b7")},
      {"flags not hexadecimal", replaced(53, "0.")},
      {"flags in upper case", replaced(53, "0A")},
      {"underscore for the first dash", replaced(2, "_")},
      {"underscore for the second dash", replaced(35, "_")},
      {"underscore for the third dash", replaced(52, "_")},
      {"leading space", " " + example},
      {"trailing space", example + " "},
      {"two values joined", example + "," + example},
      {"a zero byte within", replaced(10, std::string_view("\0", 1))},
      {"no dashes", std::string(55, '1')},
  };
  for (const auto& c : cases) EXPECT_FALSE(TraceContext::parse(c.text)) << c.why << ": " << c.text;
}

TEST(TraceContext, ReadsTheFieldsItKnowsOfALaterVersion) {
  for (const char* tail : {"", "-", "-more", "-more-and-more", "-\xff"}) {
    const auto context = TraceContext::parse(replaced(0, "cc") + tail);
    ASSERT_TRUE(context) << tail;
    EXPECT_EQ(context->to_string(), kExample) << "passed on as version 00";
  }
}

TEST(TraceContext, PassesOnOnlyTheFlagItKnows) {
  const struct {
    std::string_view flags;
    bool sampled;
    std::string_view passed_on;
  } cases[] = {{"00", false, "00"}, {"01", true, "01"}, {"ff", true, "01"}, {"fe", false, "00"}};
  for (const auto& c : cases) {
    const auto context = TraceContext::parse(replaced(53, c.flags));
    ASSERT_TRUE(context) << c.flags;
    EXPECT_EQ(context->sampled(), c.sampled) << c.flags;
    EXPECT_EQ(context->to_string().substr(53), c.passed_on) << c.flags;
  }
}

TEST(TraceContext, AChildKeepsTheTraceAndTheFlagsAndHasASpanOfItsOwn) {
  const auto parent = *TraceContext::parse(kExample);
  const TraceContext child = parent.child();

  EXPECT_EQ(child.trace_id, parent.trace_id);
  EXPECT_EQ(child.flags, parent.flags);
  EXPECT_NE(child.span_id, parent.span_id);
  EXPECT_NE(child.span_id, parent.child().span_id);
}

TEST(TraceContext, GeneratedContextsAreValidAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const TraceContext made = TraceContext::generate();
    EXPECT_EQ(TraceContext::parse(made.to_string()), made);
    EXPECT_TRUE(made.sampled());
    seen.insert(made.trace_id_text());
  }
  EXPECT_EQ(seen.size(), 100U);
}

TEST(TraceContext, ASeededGeneratorRepeats) {
  std::mt19937_64 once(7);
  std::mt19937_64 again(7);
  EXPECT_EQ(TraceContext::generate(once), TraceContext::generate(again));
  EXPECT_NE(TraceContext::generate(once), *TraceContext::parse(kExample));
}

TEST(TraceState, IsPassedOnWithoutItsOptionalSpaces) {
  const struct {
    std::string_view text, passed_on;
  } cases[] = {
      {"", ""},
      {" \t", ""},
      {",", ""},
      {"foo=1", "foo=1"},
      {"foo=1,bar=2", "foo=1,bar=2"},
      {"  foo=1 \t,\tbar=2 ", "foo=1,bar=2"},
      {"foo=1,,bar=2,", "foo=1,bar=2"},
      {"foo= 1 and more", "foo= 1 and more"},
      {"foo=1,foo=2", "foo=1,foo=2"},
      {"a_0-b*c/d=!\"#$%&'()*+-./:;<>?@[]^_`{|}~", "a_0-b*c/d=!\"#$%&'()*+-./:;<>?@[]^_`{|}~"},
      {"0tenant@vendor=x", "0tenant@vendor=x"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(TraceState::parse(c.text).text(), c.passed_on) << '"' << c.text << '"';
  EXPECT_TRUE(TraceState::parse(",").empty());
}

TEST(TraceState, IsDroppedWholeWhenAnyOfItIsMalformed) {
  const struct {
    const char* why;
    std::string text;
  } cases[] = {
      {"no equals sign", "foo"},
      {"no key", "=1"},
      {"no value", "foo="},
      {"only a space as value", "foo= "},
      {"two equals signs", "foo=1=2"},
      {"a space in the key", "foo =1"},
      {"an upper-case key", "Foo=1"},
      {"a key that begins with a digit", "0foo=1"},
      {"a key that begins with a dash", "-foo=1"},
      {"a key with a sign", "foo.bar=1"},
      {"a key of 257 characters", std::string(257, 'k') + "=1"},
      {"two at signs", "a@b@c=1"},
      {"no tenant", "@vendor=1"},
      {"no vendor", "tenant@=1"},
      {"a vendor that begins with a digit", "tenant@0vendor=1"},
      {"a vendor of 15 characters", "tenant@" + std::string(15, 'v') + "=1"},
      {"a tenant of 242 characters", std::string(242, 't') + "@vendor=1"},
      {"a value of 257 characters", "foo=" + std::string(257, 'v')},
      {"a tab in the value", "foo=1\t2"},
      {"a control character in the value", "foo=1\x01"},
      {"a line break", "foo=1\r\nbar: 2"},
      {"a zero byte", std::string("foo=1\0", 6)},
      {"a byte that is not ASCII", "foo=\xc3\xa9"},
  };
  for (const auto& c : cases) {
    EXPECT_TRUE(TraceState::parse(c.text).empty()) << c.why;
    EXPECT_TRUE(TraceState::parse("good=1," + c.text).empty()) << "behind a good one: " << c.why;
    EXPECT_TRUE(TraceState::parse(c.text + ",good=1").empty()) << "before a good one: " << c.why;
  }
}

// So many members, each `length` characters long.
std::string members(int count, std::size_t length) {
  std::string list;
  for (int i = 0; i < count; ++i) {
    std::string member = "k" + std::to_string(i) + "=";
    member.resize(length, 'v');
    list += (list.empty() ? "" : ",") + member;
  }
  return list;
}

TEST(TraceState, KeepsThirtyTwoMembersAndDropsMore) {
  EXPECT_EQ(TraceState::parse(members(32, 5)).text(), members(32, 5));
  EXPECT_EQ(TraceState::parse(members(32, 5) + ", ,").text(), members(32, 5)) << "empty ones";
  EXPECT_TRUE(TraceState::parse(members(33, 5)).empty());
}

TEST(TraceState, KeepsFiveHundredAndTwelveCharactersAndShortensMoreByWholeMembers) {
  const std::string just_fits = members(2, 256).substr(0, 512);  // 256 + comma + 255
  EXPECT_EQ(TraceState::parse(just_fits).text(), just_fits);

  const std::string small = members(9, 50);  // 458
  EXPECT_EQ(TraceState::parse(small + ",z=" + std::string(60, 'v')).text(), small)
      << "the last member falls out";
  EXPECT_EQ(TraceState::parse("large=" + std::string(123, 'v') + "," + small).text(), small)
      << "one of more than 128 characters falls out before the last";
  EXPECT_EQ(TraceState::parse(members(3, 250)).text(), members(2, 250)) << "of two, the last";
}

TEST(TraceState, GoesWithItsTraceParentAndIsNotReadWithoutOne) {
  const auto context = TraceContext::parse(kExample, "foo=1");
  ASSERT_TRUE(context);
  EXPECT_EQ(context->state.text(), "foo=1");
  EXPECT_EQ(context->child().state, context->state);
  EXPECT_NE(*context, *TraceContext::parse(kExample));

  const auto without = TraceContext::parse(kExample, "not a state");
  ASSERT_TRUE(without) << "a bad tracestate does not spoil the traceparent";
  EXPECT_TRUE(without->state.empty());
  EXPECT_FALSE(TraceContext::parse("bad", "foo=1"));
  EXPECT_TRUE(TraceContext::generate().state.empty());
}

// A sweep rather than a fuzzer: every one-character change is either refused or read back the same.
TEST(TraceContext, WhateverItAcceptsItWritesBack) {
  int accepted = 0;
  for (std::size_t at = 0; at < kExample.size(); ++at) {
    for (int c = 0; c < 256; ++c) {
      const char changed = static_cast<char>(c);
      const std::string text = replaced(at, {&changed, 1});
      const auto context = TraceContext::parse(text);
      if (!context) continue;
      ++accepted;
      EXPECT_EQ(context->to_string().substr(3, 49), text.substr(3, 49)) << text;
    }
  }
  EXPECT_GT(accepted, 0);
}

}  // namespace
}  // namespace carrel
