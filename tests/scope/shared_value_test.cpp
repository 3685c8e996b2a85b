// Flow::share: the value stands outside its scope's map, and set() puts another one there.
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

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

TEST(SharedValue, ThatSetHasReplacedMayUseItsVariableInItsDestructor) {
  struct Old {
    std::function<void()> last_words;
    explicit Old(std::function<void()> words = {}) : last_words(std::move(words)) {}
    Old(Old&& other) noexcept : last_words(std::exchange(other.last_words, {})) {}
    Old& operator=(Old&&) = delete;
    ~Old() {
      if (last_words) last_words();
    }
  };
  const RequestLocal<Old, Flow::share> variable{"shared"};
  const RequestLocal<std::uint64_t> other{"other"};
  int died = 0;
  const Scope scope;
  const Old* old = nullptr;
  const auto set_old = [&](const std::function<void()>& then) {
    variable.set(Old([&died, then] { ++died, then(); }));
    old = variable.find();
  };
  set_old([&] { EXPECT_NE(variable.find(), old) << "the dying one"; });
  variable.set(Old());
  EXPECT_EQ(died, 1);

  set_old([&] {
    variable.remove();
    other.set(7);  // into the memory that this has freed
  });
  variable.set(Old());
  EXPECT_EQ(died, 2);
  EXPECT_EQ(variable.find(), nullptr) << "the destructor had the last word";
  EXPECT_EQ(other.get(), 7U);
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
