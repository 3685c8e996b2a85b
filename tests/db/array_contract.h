// The part of the contract of Connection that is about arrays; see connection_contract.h.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/connection_contract.h"

namespace carrel::test {

// What `run` throws as "code: shape of the statement"; nothing where it does not. Never a value.
template <class Run>
std::string refused(const Run& run) {
  try {
    run();
  } catch (const SqlError& error) {
    const std::string_view message = error.what();
    EXPECT_EQ(message.find("secret"), std::string_view::npos) << message;
    EXPECT_NE(message.find("parameter $2"), std::string_view::npos) << message;
    EXPECT_FALSE(error.retryable() || error.in_doubt());
    return std::string(error.code()) + ": " + std::string(error.statement_shape());
  }
  return {};
}

TEST_P(ConnectionContract, TakesAnArrayAsOneParameterOrSaysThatItCannot) {
  insert(1, "one");
  insert(3, "three");
  const std::string sql = "delete from thing where name = $1 or id = any($2)";
  const std::vector<int> ids{3, 7};
  const bool takes = GetParam()->takes_arrays;
  const auto expected = takes ? std::string() : "sql.unsupported: " + sql;
  connection_->begin({});
  const auto trips = connection_->round_trips();
  EXPECT_EQ(refused([&] { EXPECT_EQ(execute(sql, "secret", Array(ids)).affected_rows(), 1); }),
            expected);
  if (!takes) {
    EXPECT_EQ(connection_->round_trips(), trips);
  }
  EXPECT_TRUE(connection_->in_transaction());
  insert(5, "five");
  connection_->commit();
  EXPECT_EQ(things(), takes ? 2 : 3);
}

TEST_P(ConnectionContract, TellsAnArrayFromThePlainValuesOfAKnownStatement) {
  insert(1, "one");
  const std::string sql = "select count(*) from thing where name = $1 or id = $2";
  const std::array<int, 1> ids{1};
  // Where arrays are taken, the server says that no number equals one.
  const std::string code = GetParam()->takes_arrays ? "sql.type_mismatch" : "sql.unsupported";
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(execute(sql, "secret", 1).one().get<int>(0), 1);
    EXPECT_EQ(code_of([&] { execute(sql, "secret", Array(ids)); }), code);
  }
}

TEST_P(ConnectionContract, NamesThePlaceOfAnArrayThatItRefusesAndNoElement) {
  const std::string sql = "select count(*) from thing where name = $1 or name = any($2)";
  const std::vector<std::string> names{"secret", "secret\xc3\x28"};
  const std::string code = GetParam()->takes_arrays ? "sql.invalid_text" : "sql.unsupported";
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(refused([&] { execute(sql, "secret", Array(names)); }), code + ": " + sql);
    EXPECT_FALSE(connection_->broken());
  }
  EXPECT_EQ(things(), 0);
}

TEST_P(ConnectionContract, ABatchTakesAnArrayOrEndsThere) {
  const std::array<int, 2> ids{1, 2};
  const Array array(ids);
  const std::string sql = "delete from thing where name = $1 or id = any($2)";
  const std::array parameters{Value("two"), Value(array)};
  const std::array<BatchItem, 3> items{{
      {"insert into thing (id) values (1)", {}},
      {sql, parameters},
      {"insert into thing (id) values (3)", {}},
  }};
  const bool takes = GetParam()->takes_arrays;
  connection_->begin({});
  EXPECT_EQ(refused([&] { EXPECT_EQ(connection_->batch(items)[1].affected_rows(), 1); }),
            takes ? std::string() : "sql.unsupported: " + sql);
  connection_->rollback();
  connection_->begin({});
  EXPECT_EQ(refused([&] { connection_->batch_and_commit(items); }),
            takes ? std::string() : "sql.unsupported: " + sql);
  connection_->rollback();
  EXPECT_EQ(things(), takes ? 1 : 0);
}

TEST_P(ConnectionContract, LoadsNoArrays) {
  const std::array<int, 1> ids{7};
  const Array array(ids);
  const std::array<std::string_view, 1> columns{"id"};
  const std::array<Value, 2> rows{Value(4), Value(array)};
  EXPECT_EQ(
      code_of([&] { connection_->load({.table = "thing", .columns = columns, .values = rows}); }),
      "sql.unsupported");
  EXPECT_EQ(things(), 0);
}

}  // namespace carrel::test
