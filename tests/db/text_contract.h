// The part of the contract of Connection that is about the texts of statements, and what errors
// tell of them; see connection_contract.h.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "db/connection_contract.h"

namespace carrel::test {

TEST_P(ConnectionContract, NeverNamesAValueInAnError) {
  insert(1, "alice-secret");
  try {
    execute("insert into thing values ($1, $2, 77441)", 2, "alice-secret");
    FAIL() << "a duplicate went in";
  } catch (const SqlError& error) {
    const std::string_view message = error.what();
    EXPECT_EQ(message.find("alice-secret"), std::string_view::npos) << message;
    EXPECT_EQ(message.find("77441"), std::string_view::npos) << message;
    EXPECT_EQ(error.statement_shape(), "insert into thing values ($1, $2, ?)");
    EXPECT_EQ(error.sqlstate().substr(0, 2), "23");
    EXPECT_FALSE(error.retryable());
    EXPECT_FALSE(error.in_doubt());
  }
}

TEST_P(ConnectionContract, NamesNoLiteralThatTheServerQuotes) {
  for (const auto* sql :
       {"select id id 'alice-secret' from thing", "insert into thing values 'alice-secret', 77441",
        "insert into thing values 77441, 'alice-secret'",
        "select 1 from thing where name = 'alice-secret"}) {
    try {
      execute(sql);
      FAIL() << sql;
    } catch (const SqlError& error) {
      const std::string_view message = error.what();
      EXPECT_EQ(error.code(), "sql.syntax") << message;
      EXPECT_EQ(message.find("alice"), std::string_view::npos) << message;
      EXPECT_EQ(message.find("77441"), std::string_view::npos) << message;
    }
  }
}

TEST_P(ConnectionContract, RefusesAStatementThatIsNoText) {
  using namespace std::string_literals;
  insert(1, "one");
  insert(2, "two");
  for (const auto& sql : {"delete from thing\0 where id = 1"s, "delete from thing -- \xc3\x28"s}) {
    EXPECT_EQ(code_of([&] { execute(sql); }), "sql.invalid_text");
    EXPECT_FALSE(connection_->broken());
    EXPECT_EQ(things(), 2);
  }
}

TEST_P(ConnectionContract, RefusesMoreParametersThanTheDatabaseTakes) {
  constexpr std::size_t kMany = 70'000;
  std::string sql = "select count(*) from thing where id in (0";
  for (std::size_t i = 1; i <= kMany; ++i) sql += ", $" + std::to_string(i);
  const std::vector<Value> values(kMany, Value(1));
  try {
    connection_->execute(sql + ")", values);
    FAIL() << "took them all";
  } catch (const SqlError& error) {
    EXPECT_EQ(error.code(), "sql.too_big") << error.what();
    EXPECT_FALSE(error.retryable());
  }
  EXPECT_FALSE(connection_->broken());
  EXPECT_EQ(things(), 0);
}

}  // namespace carrel::test
