// OneConnectionTest: a fixture with one connection to a server, and short words for what tests do
// with it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "carrel/db/connection.h"
#include "drivers/errors.h"

namespace carrel::test {

class OneConnectionTest : public testing::Test {
 protected:
  // With an empty table "item" of those columns.
  OneConnectionTest(std::unique_ptr<Connection> connection, std::string_view columns)
      : connection_(std::move(connection)) {
    run("drop table if exists item");
    run("create table item (" + std::string(columns) + ")");
  }

  Result run(std::string_view sql) { return connection_->execute(sql); }
  template <std::size_t N>
  Result run(std::string_view sql, const std::array<Value, N>& values) {
    return connection_->execute(sql, values);
  }
  std::string failing(std::string_view sql) {
    return thrown_by([&] { run(sql); });
  }
  std::int64_t count() { return run("select count(*) from item").one().get<std::int64_t>(0); }
  // Round trips that `steps` makes.
  template <class Steps>
  std::uint64_t trips(const Steps& steps) {
    const auto before = connection_->round_trips();
    steps();
    return connection_->round_trips() - before;
  }

  std::unique_ptr<Connection> connection_;
};

}  // namespace carrel::test
