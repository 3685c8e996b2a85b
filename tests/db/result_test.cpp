#include "carrel/db/result.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/code_of.h"
#include "carrel/base/error.h"

namespace carrel {
namespace {

Result accounts() {
  Result::Builder rows(
      std::make_shared<const Result::Columns>(Result::Columns{"id", "owner", "rate"}));
  rows.add_integer(1);
  rows.add_text("alice");
  rows.add_real(0.5);
  rows.add_integer(300);
  rows.add_null();
  rows.add_integer(2);
  return rows.finish(0);
}

TEST(Result, GivesCellsByNumberAndByName) {
  const auto result = accounts();
  EXPECT_EQ(result.size(), 2U);
  EXPECT_EQ(result[0].get<int>("id"), 1);
  EXPECT_EQ(result[0].get<std::string_view>(1), "alice");
  EXPECT_EQ(result[1].get<double>("rate"), 2.0);
  EXPECT_EQ(result[1].get<std::optional<std::string>>("owner"), std::nullopt);
  EXPECT_EQ(result[0].get<std::optional<std::string>>("owner"), "alice");
}

TEST(Result, ConvertsNothingWithLoss) {
  const auto result = accounts();
  EXPECT_EQ(code_of([&] { static_cast<void>(result[1].get<std::int8_t>("id")); }),
            "sql.value_out_of_range");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[1].get<bool>("id")); }),
            "sql.value_out_of_range");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[0].get<int>("rate")); }), "sql.type_mismatch");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[0].get<int>("owner")); }), "sql.type_mismatch");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[1].get<std::string>("owner")); }),
            "sql.null_value");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[0].get<int>("nobody")); }), "sql.no_column");
  EXPECT_EQ(code_of([&] { static_cast<void>(result[0].get<int>(3)); }), "sql.no_column");
}

// One row of one cell.
template <class Add>
Result one_cell(const Add& add) {
  Result::Builder row(std::make_shared<const Result::Columns>(Result::Columns{"cell"}));
  add(row);
  return row.finish(0);
}
template <class T>
std::string code_of_get(const Result& result) {
  return code_of([&] { static_cast<void>(result[0].get<T>(0)); });
}

TEST(Result, TakesIntegersUpToTheLimitsOfTheTypeAskedFor) {
  const auto integer = [](std::int64_t value) {
    return one_cell([=](Result::Builder& row) { row.add_integer(value); });
  };
  EXPECT_EQ(integer(255)[0].get<std::uint8_t>(0), 255);
  EXPECT_EQ(code_of_get<std::uint8_t>(integer(256)), "sql.value_out_of_range");
  EXPECT_EQ(integer(0)[0].get<std::uint8_t>(0), 0);
  EXPECT_EQ(code_of_get<std::uint8_t>(integer(-1)), "sql.value_out_of_range");
  EXPECT_EQ(code_of_get<std::uint64_t>(integer(-1)), "sql.value_out_of_range");
  EXPECT_EQ(integer(INT64_MIN)[0].get<std::int64_t>(0), INT64_MIN);
  EXPECT_TRUE(integer(1)[0].get<bool>(0));
  EXPECT_EQ(code_of_get<bool>(integer(2)), "sql.value_out_of_range");
  EXPECT_EQ(code_of_get<bool>(integer(-1)), "sql.value_out_of_range");
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  EXPECT_EQ(integer(kExact)[0].get<double>(0), 0x1p53);
  EXPECT_EQ(integer(-kExact)[0].get<double>(0), -0x1p53);
  EXPECT_EQ(code_of_get<double>(integer(kExact + 1)), "sql.value_out_of_range");
  EXPECT_EQ(code_of_get<double>(integer(-kExact - 1)), "sql.value_out_of_range");
}

TEST(Result, TakesTextForBytesAndBytesForAUuidOnlyWhereTheyAreAsLong) {
  const auto text = one_cell([](Result::Builder& row) { row.add_text("ab"); });
  EXPECT_EQ(text[0].get<Bytes>(0), (Bytes{std::byte{'a'}, std::byte{'b'}}));
  EXPECT_EQ(code_of_get<Bytes>(one_cell([](Result::Builder& row) { row.add_integer(1); })),
            "sql.type_mismatch");
  const auto bytes = [](std::size_t size) {
    return one_cell([=](Result::Builder& row) { row.add_bytes(Bytes(size, std::byte{7})); });
  };
  EXPECT_EQ(bytes(16)[0].get<Uuid>(0).bytes.back(), std::byte{7});
  EXPECT_EQ(code_of_get<Uuid>(bytes(15)), "sql.type_mismatch");
  EXPECT_EQ(code_of_get<Uuid>(bytes(17)), "sql.type_mismatch");
}

TEST(Result, OfTwoColumnsOfANameGivesTheFirst) {
  Result::Builder row(std::make_shared<const Result::Columns>(Result::Columns{"n", "n"}));
  row.add_integer(1);
  row.add_integer(2);
  EXPECT_EQ(row.finish(0)[0].get<int>("n"), 1);
}

TEST(Result, FillsStructsInColumnOrder) {
  struct Account {
    std::int64_t id;
    std::optional<std::string> owner;
    double rate;
  };
  const auto filled = accounts().to<Account>();
  ASSERT_EQ(filled.size(), 2U);
  EXPECT_EQ(filled[0].owner, "alice");
  EXPECT_EQ(filled[1].id, 300);
  EXPECT_EQ(filled[1].owner, std::nullopt);

  struct TooFew {
    std::int64_t id;
  };
  EXPECT_EQ(code_of([] { static_cast<void>(accounts().to<TooFew>()); }), "sql.unexpected_columns");
  struct TooMany {
    std::int64_t id;
    std::optional<std::string> owner;
    double rate;
    std::optional<int> more;
  };
  EXPECT_EQ(code_of([] { static_cast<void>(accounts().to<TooMany>()); }), "sql.unexpected_columns");
}

// What a row that is gone by the end of the line may not be asked for: OwnedRow looks at these.
struct Borrowing {
  int number;
  std::optional<std::string_view> name;
};
struct Owning {
  int number;
  std::optional<std::string> name;
};
static_assert(db::holds_views<Borrowing> && !db::holds_views<Owning>);
static_assert(db::is_view<std::string_view> && !db::is_view<std::string>);

TEST(Result, OneIsExactlyOne) {
  EXPECT_EQ(code_of([] { static_cast<void>(accounts().one()); }), "sql.unexpected_rows");
  EXPECT_EQ(code_of([] { static_cast<void>(Result().one()); }), "sql.unexpected_rows");
  EXPECT_FALSE(Result().first());
  const auto owned = accounts().first();
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->get<std::string_view>("owner"), "alice");
}

TEST(Result, ViewsSurviveAMove) {
  auto result = accounts();
  const auto view = result[0].get<std::string_view>("owner");
  const auto moved = std::move(result);
  EXPECT_EQ(view.data(), moved[0].get<std::string_view>("owner").data());
}

}  // namespace
}  // namespace carrel
