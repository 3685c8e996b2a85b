#include "carrel/db/value.h"

#include <gtest/gtest.h>

#include "carrel/base/error.h"
#include "db/timestamp_text.h"
#include "db/utf8.h"

namespace carrel {
namespace {

TEST(Value, TakesItsKindFromWhatItIsMadeOf) {
  EXPECT_EQ(Value().kind(), ValueKind::null);
  EXPECT_EQ(Value(nullptr).kind(), ValueKind::null);
  EXPECT_EQ(Value(std::optional<int>()).kind(), ValueKind::null);
  EXPECT_EQ(Value(std::optional<int>(7)).integer(), 7);
  EXPECT_EQ(Value(true).integer(), 1);
  EXPECT_EQ(Value(7U).integer(), 7);
  EXPECT_EQ(Value(2.5).real(), 2.5);
  EXPECT_EQ(Value("text").text(), "text");
  EXPECT_EQ(Value(Bytes{std::byte{7}}).bytes().size(), 1U);
  EXPECT_EQ(Value(Timestamp(std::chrono::microseconds(5))).kind(), ValueKind::timestamp);
  EXPECT_EQ(Value(Uuid()).kind(), ValueKind::uuid);
}

TEST(Value, RefusesAnUnsignedNumberThatFitsNoColumn) {
  EXPECT_EQ(Value(std::uint64_t{INT64_MAX}).integer(), INT64_MAX);
  EXPECT_THROW(Value(std::uint64_t{1} << 63), Error);
}

// An Array is a view of elements that lie in a row, and a Value holds the address of one.
template <class T>
concept MakesAnArray = requires(const T& of) { Array(of); };
static_assert(std::constructible_from<Value, const Array&>);
static_assert(!std::constructible_from<Value, Array>);
static_assert(!MakesAnArray<std::vector<bool>>);
static_assert(!MakesAnArray<std::string>);
static_assert(!MakesAnArray<std::vector<const char*>>);
static_assert(!MakesAnArray<std::vector<Array>>);
static_assert(!MakesAnArray<std::vector<std::vector<int>>>);

TEST(Array, KnowsTheKindOfItsElementsAlsoWhereThereAreNone) {
  EXPECT_EQ(Array(std::array<bool, 0>()).kind(), ValueKind::integer);
  EXPECT_EQ(Array(std::array<std::string_view, 0>()).kind(), ValueKind::text);
  EXPECT_EQ(Array(std::array<std::optional<Bytes>, 0>()).kind(), ValueKind::bytes);
  EXPECT_EQ(Array(std::span<const Value>(), ValueKind::uuid).kind(), ValueKind::uuid);
  EXPECT_EQ(Array(std::span<const Timestamp>()).size(), 0U);
}

TEST(Array, GivesEachElementAsAValue) {
  const std::array<std::optional<int>, 2> numbers{7, std::nullopt};
  const Array array(numbers);
  EXPECT_EQ(array.size(), 2U);
  EXPECT_EQ(array[0].integer(), 7);
  EXPECT_TRUE(array[1].is_null());
  EXPECT_EQ(&Value(array).array(), &array);
}

TEST(Uuid, IsWrittenAndReadInItsUsualForm) {
  constexpr std::string_view text = "0189f7e2-4a6b-7c8d-9e0f-112233445566";
  const auto uuid = Uuid::parse(text);
  ASSERT_TRUE(uuid);
  EXPECT_EQ(uuid->to_string(), text);
  EXPECT_EQ(Uuid::parse("0189F7E2-4A6B-7C8D-9E0F-112233445566"), uuid);
  for (const auto* wrong :
       {"", "0189f7e2", "0189f7e2-4a6b-7c8d-9e0f-11223344556",
        "0189f7e2-4a6b-7c8d-9e0f-11223344556g", "0189f7e2x4a6b-7c8d-9e0f-112233445566"})
    EXPECT_FALSE(Uuid::parse(wrong)) << wrong;
}

TEST(TimestampText, ReadsWhatDatabasesWrite) {
  using namespace std::chrono;
  const Timestamp noon = sys_days(year{2026} / 1 / 31) + hours(12);
  struct Case {
    const char* text;
    std::optional<Timestamp> expected;
  };
  const Case cases[] = {
      {"2026-01-31 12:00:00", noon},
      {"2026-01-31T12:00:00Z", noon},
      {"2026-01-31 12:00:00.5", noon + milliseconds(500)},
      {"2026-01-31 12:00:00.123456789", noon + microseconds(123456)},
      {"2026-01-31 12:00:00+00", noon},
      {"2026-01-31 13:30:00+01:30", noon},
      {"2026-01-31 10:00:00-02", noon},
      {"2026-01-31", sys_days(year{2026} / 1 / 31)},
      {"2026-02-30 12:00:00", std::nullopt},
      {"2026-01-31 24:00:00", std::nullopt},
      {"2026-01-31 12:00", std::nullopt},
      {"2026-01-31 12:00:00.", std::nullopt},
      {"2026-01-31 12:00:00 and more", std::nullopt},
      {"yesterday", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(db::parse_timestamp(text), expected) << text;
  EXPECT_EQ(db::format_timestamp(noon + microseconds(1)), "2026-01-31 12:00:00.000001");
  EXPECT_EQ(db::format_timestamp(Timestamp(microseconds(-1))), "1969-12-31 23:59:59.999999");
}

TEST(Utf8, TellsTextFromWhatIsNone) {
  using namespace std::string_view_literals;
  const std::string_view good[] = {"", "plain text, long enough to be read by eights", "\u00e9",
                                   "\u4e2d\u6587\u8d26\u6237 and \U0001f4b0"};
  const std::string_view bad[] = {"a\0b"sv,       "12345678\0"sv,     "\xff",
                                  "\xc3",         "\xc0\x80",         "\xed\xa0\x80",
                                  "\xe0\x80\xaf", "\xf4\x90\x80\x80", "eight ok\x80"};
  for (const auto text : good) EXPECT_TRUE(db::is_valid_text(text)) << text;
  for (const auto text : bad) EXPECT_FALSE(db::is_valid_text(text));
}

}  // namespace
}  // namespace carrel
