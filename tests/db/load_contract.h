// The part of the contract of Connection that is about load(); see connection_contract.h.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "db/connection_contract.h"

namespace carrel::test {

TEST_P(ConnectionContract, LoadsManyRows) {
  constexpr int kRows = 1'000;
  std::vector<std::string> names;
  for (int i = 0; i < kRows; ++i) names.push_back("name, \"" + std::to_string(i) + "\"\t\\");
  std::vector<Value> values;
  for (int i = 0; i < kRows; ++i) {
    values.emplace_back(i);
    values.emplace_back(i % 10 == 0 ? Value() : Value(names[static_cast<std::size_t>(i)]));
  }
  const std::array<std::string_view, 2> columns{"id", "name"};
  connection_->begin({});
  EXPECT_EQ(connection_->load({.table = "thing", .columns = columns, .values = values}), kRows);
  connection_->commit();
  EXPECT_EQ(things(), kRows);
  EXPECT_EQ(execute("select name from thing where id = 7").one().get<std::string>(0), names[7]);
  EXPECT_TRUE(execute("select name from thing where id = 10").one().is_null(0));
}

// However many statements it takes: the last of many rows is refused, and where columns mix types.
TEST_P(ConnectionContract, ALoadOutsideATransactionIsAllOrNothing) {
  constexpr int kRows = 2'000;
  constexpr std::size_t kLastId = 2 * (kRows - 1);
  std::vector<std::string> names;
  for (int i = 0; i < kRows; ++i) names.push_back("name " + std::to_string(i));
  const std::array<std::string_view, 2> columns{"id", "name"};
  for (const bool is_mixed : {false, true}) {
    SCOPED_TRACE(is_mixed);
    std::vector<Value> values;
    for (int i = 0; i < kRows; ++i) {
      values.emplace_back(i);
      const auto& name = names[static_cast<std::size_t>(i)];
      values.push_back(is_mixed && i % 2 == 0 ? Value(i) : Value(name));
    }
    const auto load = [&] {
      return connection_->load({.table = "thing", .columns = columns, .values = values});
    };
    values[kLastId] = Value(0);  // there is a row of that id by then
    EXPECT_EQ(code_of([&] { load(); }), "sql.unique_violation");
    EXPECT_FALSE(connection_->in_transaction());
    EXPECT_EQ(things(), 0);

    values[kLastId] = Value(kRows);
    EXPECT_EQ(load(), kRows);
    EXPECT_FALSE(connection_->in_transaction());
    EXPECT_EQ(things(), kRows);
    execute("delete from thing");
  }
}

}  // namespace carrel::test
