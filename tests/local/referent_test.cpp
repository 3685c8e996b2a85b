// inspect() tells when two threads hold the same object: what borrowed<> lets through.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"
#include "local/worker.h"

namespace carrel {
namespace {

// Of the variable's values, how many are told to be shared.
std::ptrdiff_t shared_values_of(const std::string& variable) {
  std::ptrdiff_t shared = 0;
  for (const local::ThreadReport& report : local::inspect_threads())
    shared += std::ranges::count_if(report.values, [&](const local::ValueRecord& record) {
      return record.variable == variable && record.shared;
    });
  return shared;
}

constinit StaticThreadLocal<borrowed<const int*>> static_number{"static number"};

TEST(SharedReferent, IsToldOfEveryKindOfPointer) {
  int number = 1;
  const auto owned = std::make_shared<int>(2);
  const ThreadLocal<borrowed<int*>> pointer{
      {.name = "pointer", .initial = [&] { return &number; }}};
  const ThreadLocal<borrowed<std::shared_ptr<int>>> shared{{.name = "shared pointer"}};
  const ThreadLocal<borrowed<std::reference_wrapper<int>>> reference{
      {.name = "reference", .initial = [&] { return std::ref(number); }}};
  const auto use = [&] {
    EXPECT_EQ(*pointer.get(), 1);
    EXPECT_EQ(reference.get(), 1);
    shared.set(owned);
    static_number.set(&number);
  };
  use();
  EXPECT_EQ(shared_values_of("pointer"), 0) << "one thread shares with nobody";
  local::Worker worker;
  worker.call(use);
  EXPECT_EQ(shared_values_of("pointer"), 2);
  EXPECT_EQ(shared_values_of("shared pointer"), 2);
  EXPECT_EQ(shared_values_of("reference"), 2);
  EXPECT_EQ(shared_values_of("static number"), 2);
  static_number.remove();
}

TEST(SharedReferent, IsNotToldOfObjectsOfTheirOwn) {
  const ThreadLocal<borrowed<std::shared_ptr<int>>> own{
      {.name = "own", .initial = [] { return std::make_shared<int>(); }}};
  const ThreadLocal<std::vector<int>> value{{.name = "value"}};
  own.get();
  value.get();
  local::Worker worker;
  worker.call([&] {
    own.get();
    value.get();
  });
  EXPECT_EQ(shared_values_of("own"), 0);
  EXPECT_EQ(shared_values_of("value"), 0);
}

TEST(SharedReferent, FollowsSetAndBind) {
  int ours = 0;
  int theirs = 0;
  const ThreadLocal<borrowed<int*>> pointer{{.name = "pointer"}};
  pointer.set(&ours);
  local::Worker worker;
  worker.call([&] { pointer.set(&theirs); });
  EXPECT_EQ(shared_values_of("pointer"), 0);
  {
    const auto bound = pointer.bind(&theirs);
    EXPECT_EQ(shared_values_of("pointer"), 2);
  }
  EXPECT_EQ(shared_values_of("pointer"), 0);
  pointer.set(&theirs);
  EXPECT_EQ(shared_values_of("pointer"), 2);
  pointer.remove();
  EXPECT_EQ(shared_values_of("pointer"), 0);
}

void nothing() {}

TEST(SharedReferent, OfFunctionsAndNullPointersIsNone) {
  const ThreadLocal<borrowed<int*>> null{{.name = "null"}};
  const ThreadLocal<borrowed<void (*)()>> function{{.name = "function"}};
  const auto use = [&] {
    null.set(nullptr);
    function.set(&nothing);
  };
  use();
  local::Worker worker;
  worker.call(use);
  EXPECT_EQ(shared_values_of("null"), 0);
  EXPECT_EQ(shared_values_of("function"), 0);
}

}  // namespace
}  // namespace carrel
