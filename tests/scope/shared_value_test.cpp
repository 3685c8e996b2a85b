// Flow::share: the value stands outside its scope's map, and set() puts another one there.
#include <gtest/gtest.h>

#include <deque>

#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

namespace carrel {
namespace {

using Shared = RequestLocal<int, Flow::share>;

void expect_value(const Shared& variable, int value) {
  EXPECT_EQ(variable.get(), value);
  ASSERT_NE(variable.find(), nullptr);
  EXPECT_EQ(*variable.find(), value);
}

TEST(SharedValue, IsTheNewOneAfterSetWhereverTheMapHasItsPlace) {
  std::deque<Shared> variables;  // more than a scope has places for in itself
  for (int i = 0; i < 40; ++i) variables.emplace_back("shared");
  const Scope scope;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 40; ++i) variables[static_cast<std::size_t>(i)].set(100 * round + i);
    for (int i = 0; i < 40; ++i)
      expect_value(variables[static_cast<std::size_t>(i)], 100 * round + i);
  }
}

TEST(SharedValue, IsRestoredByTheGuardThatHidIt) {
  const Shared variable{"shared"};
  const Scope scope;
  variable.set(1);
  {
    const auto bound = variable.bind(2);
    expect_value(variable, 2);
    variable.set(3);
    expect_value(variable, 3);
    {
      const auto again = variable.bind(4);
      expect_value(variable, 4);
    }
    expect_value(variable, 3);
  }
  expect_value(variable, 1);
}

TEST(SharedValue, KeepsWhatASnapshotTookWhenItsScopeSetsAnother) {
  const Shared variable{"shared"};
  const Scope scope;
  variable.set(1);
  const int* const first = variable.find();
  const Snapshot snapshot = Snapshot::capture();
  variable.set(2);
  snapshot.run([&] {
    expect_value(variable, 1);
    EXPECT_EQ(variable.find(), first) << "the same object";
    variable.set(5);
    expect_value(variable, 5);
  });
  expect_value(variable, 2);
  snapshot.run([&] { expect_value(variable, 1); });
}

TEST(SharedValue, IsReachedInAScopeThatGoesFromThreadToThread) {
  const Shared variable{"shared"};
  const auto scope = Scope::suspended();
  {
    const Scope::Entry entry(*scope);
    variable.set(1);
    variable.set(2);
    expect_value(variable, 2);
    const auto bound = variable.bind(3);
    expect_value(variable, 3);
  }
  const Scope::Entry again(*scope);
  expect_value(variable, 2);
}

}  // namespace
}  // namespace carrel
