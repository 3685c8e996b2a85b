#include "carrel/scope/request_local.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "scope/witness.h"

namespace carrel {
namespace {

TEST(RequestLocal, TheExampleOfItsHeader) {
  RequestLocal<std::string> tenant{"tenant"};
  Scope scope({.name = "GET /orders"});
  tenant.set("acme");
  EXPECT_EQ(tenant.get(), "acme");
  {
    const auto as_admin = tenant.bind("admin");
    EXPECT_EQ(tenant.get(), "admin");
  }
  EXPECT_EQ(tenant.get(), "acme");
}

TEST(RequestLocal, OutsideAnyScopeThrowsNoScopeThatNamesTheVariable) {
  const RequestLocal<int> tenant{"tenant"};
  const std::function<void()> uses[] = {[&] { (void)tenant.get(); }, [&] { tenant.set(1); },
                                        [&] { (void)tenant.remove(); },
                                        [&] { const auto bound = tenant.bind(1); }};
  for (const auto& use : uses) {
    try {
      use();
      FAIL() << "nothing was thrown";
    } catch (const NoScope& error) {
      EXPECT_EQ(error.code(), "no_scope");
      EXPECT_NE(std::string(error.what()).find("'tenant'"), std::string::npos) << error.what();
      EXPECT_FALSE(error.retryable());
    }
  }
  EXPECT_EQ(tenant.find(), nullptr);
}

TEST(RequestLocal, MakesTheInitialValueAtTheFirstGet) {
  int made = 0;
  const RequestLocal<int> number{{.name = "number", .initial = [&made] { return 40 + ++made; }}};
  Scope scope;
  EXPECT_EQ(number.find(), nullptr);
  EXPECT_EQ(made, 0);
  EXPECT_EQ(number.get(), 41);
  EXPECT_EQ(number.get(), 41);
  EXPECT_TRUE(number.remove());
  EXPECT_FALSE(number.remove());
  EXPECT_EQ(number.get(), 42) << "remove() re-arms the initial value";
  EXPECT_EQ(RequestLocal<int>("zero").get(), 0);
}

TEST(RequestLocal, SetForestallsTheInitialValue) {
  const RequestLocal<int> number{
      {.name = "number", .initial = []() -> int { throw std::logic_error("not needed"); }}};
  Scope scope;
  number.set(7);
  EXPECT_EQ(number.get(), 7);
}

struct NoDefault {
  explicit NoDefault(int v) : value(v) {}
  int value;
};

TEST(RequestLocal, WithoutAnInitialValueSaysSo) {
  const RequestLocal<NoDefault> caller{"caller"};
  Scope scope;
  try {
    (void)caller.get();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "no_value");
    EXPECT_NE(std::string(error.what()).find("'caller'"), std::string::npos);
  }
  caller.set(NoDefault(3));
  EXPECT_EQ(caller.get().value, 3);
}

TEST(RequestLocal, TheNextScopeSeesNothingOfTheLast) {
  const RequestLocal<std::string> tenant{"tenant"};
  {
    Scope first;
    tenant.set("acme");
    Scope inner;
    EXPECT_EQ(tenant.find(), nullptr) << "an inner scope is empty";
    tenant.set("inner");
  }
  Scope second;
  EXPECT_EQ(tenant.find(), nullptr);
}

TEST(RequestLocal, TheOuterScopeKeepsItsValue) {
  const RequestLocal<int> number{"number"};
  Scope outer;
  number.set(1);
  {
    Scope inner;
    number.set(2);
  }
  EXPECT_EQ(number.get(), 1);
}

TEST(RequestLocal, ReferencesStayWhileOthersComeAndGo) {
  Scope scope;
  const RequestLocal<int> first{"first"};
  int& reference = first.get();
  reference = 5;
  std::deque<RequestLocal<std::uint64_t>> others;
  for (std::uint64_t i = 0; i < 1000; ++i) others.emplace_back("other").set(i);
  for (std::uint64_t i = 0; i < 1000; i += 2) others[i].remove();
  for (std::uint64_t i = 1; i < 1000; i += 2) EXPECT_EQ(others[i].get(), i);
  for (std::uint64_t i = 0; i < 1000; i += 2) EXPECT_EQ(others[i].find(), nullptr);
  first.set(6);
  EXPECT_EQ(&first.get(), &reference);
  EXPECT_EQ(reference, 6);
}

TEST(RequestLocal, AVariableThatDiedIsNeverTakenForANewOne) {
  Scope scope;
  for (int i = 0; i < 100; ++i) {
    const RequestLocal<int> fresh{"fresh"};
    EXPECT_EQ(fresh.find(), nullptr);
    fresh.set(i);
  }
}

TEST(RequestLocal, HoldsWhatCannotBeCopiedOrIsStrictlyAligned) {
  struct alignas(64) Wide {
    int value = 3;
  };
  struct Large {
    std::array<char, 5000> bytes{};
  };
  const RequestLocal<std::unique_ptr<int>> owner{"owner"};
  const RequestLocal<Wide> wide{"wide"};
  const RequestLocal<Large> large{"large"};
  Scope scope;
  owner.set(std::make_unique<int>(1));
  EXPECT_EQ(*owner.get(), 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&wide.get()) % 64, 0U);
  large.get().bytes[4999] = 'x';
  EXPECT_EQ(large.get().bytes[4999], 'x');
}

TEST(RequestLocal, ASharedValueIsSeenAsConstUnlessItIsConcurrent) {
  using Shared = RequestLocal<std::string, Flow::share>;
  using Counter = RequestLocal<std::atomic<int>, Flow::share>;
  static_assert(std::is_same_v<Shared::Reference, const std::string&>);
  static_assert(std::is_same_v<Counter::Reference, std::atomic<int>&>);
  const Shared text{"text"};
  Scope scope;
  text.set("shared");
  EXPECT_EQ(text.get(), "shared");
}

TEST(RequestLocal, ValuesDieNewestFirst) {
  std::vector<std::string> log;
  const RequestLocal<Witness> a{"a"};
  const RequestLocal<Witness> b{"b"};
  const RequestLocal<Witness> c{"c"};
  {
    Scope scope;
    b.set(Witness(&log, "b"));
    a.set(Witness(&log, "a"));
    c.set(Witness(&log, "c"));
  }
  EXPECT_EQ(log, (std::vector<std::string>{"c", "a", "b"}));
}

TEST(RequestLocal, ADestructorMayUseOlderValuesAndMakeNewOnes) {
  std::vector<std::string> log;
  const RequestLocal<int> older{"older"};
  const RequestLocal<Witness> own{"own"};
  {
    Scope scope({.name = "closing"});
    older.set(5);
    own.set(Witness(&log, "own", [&] {
      EXPECT_EQ(older.get(), 5);
      EXPECT_EQ(Scope::current(), &scope);
      EXPECT_EQ(own.find(), nullptr) << "its own variable has no value any more";
      own.set(Witness(&log, "again"));
    }));
  }
  EXPECT_EQ(log, (std::vector<std::string>{"own", "again"}));
}

// A Witness cannot be assigned, so that set() puts another one in its place.
TEST(RequestLocal, WhatSetHasReplacedMayUseItsVariableInItsDestructor) {
  std::vector<std::string> log;
  std::deque<RequestLocal<Witness>> others;
  const RequestLocal<Witness> first{"first"};
  for (int i = 0; i < 15; ++i) others.emplace_back("other");
  const RequestLocal<Witness> beyond{"beyond"};  // the 17th: has no place of its own in the map
  for (const auto* own : {&first, &beyond}) {
    Scope scope;
    first.set(Witness());
    for (const auto& other : others) other.set(Witness());

    own->set(Witness(&log, "old", [&] { EXPECT_EQ(own->get().name, "new"); }));
    own->set(Witness(&log, "new"));
    EXPECT_EQ(std::exchange(log, {}), std::vector<std::string>{"old"});

    own->set(Witness(&log, "old", [&] { EXPECT_TRUE(own->remove()); }));
    EXPECT_EQ(std::exchange(log, {}), std::vector<std::string>{"new"});
    own->set(Witness(&log, "removed by the old one"));
    EXPECT_EQ(std::exchange(log, {}), (std::vector<std::string>{"old", "removed by the old one"}));
    EXPECT_EQ(own->find(), nullptr);
  }
}

TEST(RequestLocal, AValueKeepsItsPlaceInTheOrderWhenItIsReplaced) {
  std::vector<std::string> log;
  const RequestLocal<Witness> oldest{"oldest"};
  const RequestLocal<Witness> middle{"middle"};
  const RequestLocal<Witness> newest{"newest"};
  {
    Scope scope;
    for (const auto* variable : {&oldest, &middle, &newest}) variable->set(Witness());
    for (const auto* variable : {&newest, &oldest, &middle})
      variable->set(Witness(&log, std::string(variable->name())));
  }
  EXPECT_EQ(log, (std::vector<std::string>{"newest", "middle", "oldest"}));
}

TEST(RequestLocal, EndlessResurrectionIsCappedAndReported) {
  std::vector<std::string> log;
  const RequestLocal<Witness> phoenix{"phoenix"};
  std::function<void()> rise = [&] { phoenix.set(Witness(&log, "burnt", [&rise] { rise(); })); };
  testing::internal::CaptureStderr();
  {
    Scope scope({.name = "fire"});
    rise();
  }
  EXPECT_EQ(log.size(), 8U);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("scope 'fire' abandoned 1 values"),
            std::string::npos);
  rise = nullptr;
}

TEST(RequestLocal, AThrowingInitialiserLeavesEverythingAsItWas) {
  int calls = 0;
  const RequestLocal<int> number{{.name = "number", .initial = [&calls] {
                                    if (++calls == 1) throw std::runtime_error("not yet");
                                    return calls;
                                  }}};
  Scope scope;
  EXPECT_THROW((void)number.get(), std::runtime_error);
  EXPECT_EQ(number.find(), nullptr);
  EXPECT_EQ(number.get(), 2);
}

TEST(RequestLocal, AnInitialiserThatReadsItsOwnVariableIsAnError) {
  const RequestLocal<int>* self = nullptr;
  const RequestLocal<int> number{
      {.name = "number", .initial = [&self] { return self->get() + 1; }}};
  self = &number;
  Scope scope;
  try {
    (void)number.get();
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "recursive_initialiser");
  }
  number.set(3);
  EXPECT_EQ(number.get(), 3);
}

TEST(RequestLocal, WhatAnInitialiserSetsItselfStands) {
  const RequestLocal<int>* self = nullptr;
  const RequestLocal<int> number{{.name = "number", .initial = [&self] {
                                    self->set(1);
                                    return 2;
                                  }}};
  self = &number;
  Scope scope;
  EXPECT_EQ(number.get(), 1);
}

TEST(RequestLocal, ManyThreadsUseOneVariable) {
  const RequestLocal<std::uint64_t> number{"number"};
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&number, t] {
      for (std::uint64_t i = 0; i < 1000; ++i) {
        Scope scope({.name = "task"});
        ASSERT_EQ(number.find(), nullptr);
        number.set(t * 1000 + i);
        const RequestLocal<int> passing{"passing"};
        passing.set(1);
        ASSERT_EQ(number.get(), t * 1000 + i);
      }
    });
  }
}

}  // namespace
}  // namespace carrel
