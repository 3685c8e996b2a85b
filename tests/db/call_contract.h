// The part of the contract of Connection that is about what counts as a call; see
// connection_contract.h.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "db/connection_contract.h"

namespace carrel::test {

TEST_P(ConnectionContract, CountsEachCallOnce) {
  const Statement insert("insert into thing values ($1, 'one', 1)");
  const std::array one{Value(1)};
  const std::array two{Value(2), Value("two"), Value(2)};
  const BatchItem item{.statement = insert, .parameters = one};
  const std::array<std::string_view, 3> columns{"id", "name", "amount"};
  auto& c = *connection_;
  struct Call {
    const char* what;
    std::function<void()> make;
    std::uint64_t steps = 2;  // in, and out
  };
  const std::uint64_t asks = database_->driver().traits().remote ? 2 : 0;
  std::atomic<std::uint64_t> steps{0};
  c.count_steps_in(&steps);
  for (const auto& call : std::vector<Call>{
           {"begin", [&] { c.begin({}); }},
           {"savepoint", [&] { c.savepoint(1); }},
           {"batch", [&] { c.batch({&item, 1}); }},
           {"rollback_to", [&] { c.rollback_to(1); }},
           {"savepoint", [&] { c.savepoint(1); }},
           {"load", [&] { c.load({.table = "thing", .columns = columns, .values = two}); }},
           {"release", [&] { c.release(1); }},
           {"rollback", [&] { c.rollback(); }},
           {"begin", [&] { c.begin({}); }},
           {"batch_and_commit", [&] { c.batch_and_commit({&item, 1}); }},
           {"reset of a clean one", [&] { EXPECT_TRUE(c.reset()); }, 0},
           {"validate", [&] { EXPECT_TRUE(c.validate()); }, asks},
           {"begin", [&] { c.begin({}); }},
           {"execute", [&] { c.execute("delete from thing"); }},
           {"reset", [&] { EXPECT_TRUE(c.reset()); }},
           {"begin", [&] { c.begin({}); }},
           {"execute", [&] { c.execute("delete from thing"); }},
           {"commit", [&] { c.commit(); }},
           {"execute", [&] { c.execute(GetParam()->dirt.front().statement); }},
           {"reset of a dirty one", [&] { static_cast<void>(c.reset()); }, asks},
       }) {
    const auto before = steps.load();
    call.make();
    EXPECT_EQ(steps.load() - before, call.steps) << call.what;
  }
  c.count_steps_in(nullptr);
  EXPECT_EQ(things(), 0);
}

}  // namespace carrel::test
