#include "carrel/scope/scope.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

TEST(Scope, IsCurrentWhileItLives) {
  EXPECT_EQ(Scope::current(), nullptr);
  {
    Scope scope({.name = "GET /orders"});
    EXPECT_EQ(Scope::current(), &scope);
    EXPECT_EQ(Scope::current()->name(), "GET /orders");
  }
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(Scope, RestoresTheOuterOneOnEveryPath) {
  Scope outer({.name = "outer"});
  const auto leave_early = [] {
    Scope inner({.name = "inner"});
    if (Scope::current() == &inner) return;
  };
  leave_early();
  EXPECT_EQ(Scope::current(), &outer);
  try {
    Scope inner({.name = "inner"});
    throw std::runtime_error("out");
  } catch (const std::runtime_error&) {
    EXPECT_EQ(Scope::current(), &outer);
  }
  EXPECT_EQ(Scope::current(), &outer);
}

TEST(Scope, IsTheThreadsOwn) {
  Scope scope({.name = "here"});
  const Scope* seen = &scope;
  std::thread([&] { seen = Scope::current(); }).join();
  EXPECT_EQ(seen, nullptr);
}

TEST(Scope, CarriesNameStartAndDeadline) {
  ManualClock clock;
  clock.advance(5s);
  Scope scope({.name = "task", .deadline = clock.steady_now() + 2s, .clock = &clock});

  EXPECT_EQ(scope.started(), clock.steady_now());
  EXPECT_FALSE(scope.expired());
  clock.advance(2s);
  EXPECT_TRUE(scope.expired());
  EXPECT_EQ(*scope.deadline() - scope.started(), 2s);
  EXPECT_EQ(Scope().deadline(), std::nullopt);
}

TEST(Scope, KeepsTheTraceItWasGivenAndElseMakesOne) {
  const TraceContext given = TraceContext::generate();
  Scope traced({.trace = given});
  EXPECT_EQ(traced.trace(), given);

  Scope fresh;
  EXPECT_NE(fresh.trace().trace_id, given.trace_id) << "an inner scope inherits nothing";
  EXPECT_EQ(fresh.trace(), fresh.trace());
  EXPECT_TRUE(TraceContext::parse(fresh.trace().to_string()));
}

// The system's clock is not read when a scope is opened: what is worked out later must agree with
// it.
TEST(Scope, KnowsItsAgeAsTheClockDoes) {
  constexpr auto kTolerance = 5us;
  const Clock& clock = SystemClock::get();
  {
    const Scope first;
  }  // the first one measures the processor's counter
  for (const auto open_for : {0ms, 2ms, 30ms}) {
    const Clock::Steady before = clock.steady_now();
    const Scope scope;
    const Clock::Steady after = clock.steady_now();
    while (clock.steady_now() < after + open_for) {
    }
    const Clock::Steady asked = clock.steady_now();
    const std::chrono::nanoseconds age = scope.age();
    const auto at_least = asked - after;
    const auto at_most = clock.steady_now() - before;
    EXPECT_GE(age, at_least - at_least / 500 - kTolerance);
    EXPECT_LE(age, at_most + at_most / 500 + kTolerance);
    EXPECT_EQ(scope.started(), scope.started()) << "worked out once";
  }
}

TEST(ScopeName, IsCutAtAWholeCharacter) {
  const std::string snowmen =
      "\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603"
      "\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603\u2603";
  EXPECT_EQ(ScopeName(snowmen).view(), snowmen.substr(0, 60))
      << "20 of 3 bytes; 62 would split one";
  EXPECT_EQ(ScopeName(std::string(100, 'a')).view().size(), ScopeName::kLengthMax);
  EXPECT_TRUE(ScopeName().empty());
}

TEST(Scope, ARunawayRecursionIsAnErrorAndNotAStackOverflow) {
  // A million is what the caller would like; the limit answers long before the stack ends.
  std::vector<std::unique_ptr<Scope>> open;
  try {
    for (int i = 0; i < 1'000'000; ++i)
      open.push_back(std::make_unique<Scope>(ScopeOptions{"deep"}));
    FAIL() << "a million scopes were opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), "scope.too_deep");
  }
  EXPECT_EQ(open.size(), Scope::kDepthMax);
  EXPECT_EQ(Scope::current(), open.back().get()) << "the one that failed was not entered";
  while (!open.empty()) open.pop_back();
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(ScopeDeathTest, ClosingOutOfOrderNamesBothScopes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto first = std::make_unique<Scope>(ScopeOptions{"first"});
        auto second = std::make_unique<Scope>(ScopeOptions{"second"});
        first.reset();
      },
      "scope 'first' closed out of order: the innermost open one is scope 'second'");
}

TEST(ScopeDeathTest, ClosingOnAnotherThreadIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto scope = std::make_unique<Scope>(ScopeOptions{"mine"});
        std::thread([&] { scope.reset(); }).join();
      },
      "scope 'mine' closed out of order: the innermost open one is no scope");
}

TEST(SuspendedScope, IsEnteredAndLeftOnAnyThread) {
  const RequestLocal<int> count{"count"};
  const auto scope = Scope::suspended({.name = "upload"});
  EXPECT_EQ(Scope::current(), nullptr);
  for (int i = 0; i < 3; ++i) {
    std::thread([&] {
      const Scope::Entry entry(*scope);
      EXPECT_EQ(Scope::current(), scope.get());
      ++count.get();
    }).join();
  }
  const Scope::Entry entry(*scope);
  EXPECT_EQ(count.get(), 3);
}

TEST(SuspendedScope, EnteringRestoresWhateverWasCurrent) {
  const auto suspended = Scope::suspended({.name = "suspended"});
  Scope outer({.name = "outer"});
  {
    const Scope::Entry entry(*suspended);
    EXPECT_EQ(Scope::current(), suspended.get());
  }
  EXPECT_EQ(Scope::current(), &outer);
}

TEST(SuspendedScope, DestroysItsValuesWhenTheLastOwnerLetsGo) {
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  auto scope = Scope::suspended();
  {
    const Scope::Entry entry(*scope);
    held.set(value);
  }
  EXPECT_EQ(value.use_count(), 2);
  scope.reset();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Scope, KeepsTheValueOfADeadVariableOutOfReachUntilItCloses) {
  const auto value = std::make_shared<int>(1);
  {
    Scope scope;
    {
      const RequestLocal<std::shared_ptr<int>> held{"held"};
      held.set(value);
    }
    const RequestLocal<std::shared_ptr<int>> next{"next"};
    EXPECT_EQ(next.find(), nullptr);
    EXPECT_EQ(value.use_count(), 2) << "unreachable, and not freed yet";
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(SuspendedScope, LeavesNoValueBehindOnTheThreadThatWasInside) {
  const RequestLocal<int> number{"number"};
  const auto suspended = Scope::suspended();
  {
    const Scope::Entry entry(*suspended);
    number.set(1);
  }
  EXPECT_THROW((void)number.get(), NoScope) << "the value is the scope's, not this thread's";
  Scope other;
  EXPECT_EQ(number.find(), nullptr);
}

// What a coroutine does that opens a scope, is suspended, and is resumed elsewhere.
TEST(SuspendedScope, AnInnerScopeLeftOpenIsCurrentAgainAtTheNextEntry) {
  const auto root = Scope::suspended({.name = "root"});
  std::unique_ptr<Scope> inner;
  std::thread([&] {
    const Scope::Entry entry(*root);
    inner = std::make_unique<Scope>(ScopeOptions{"inner"});
  }).join();
  std::thread([&] {
    const Scope::Entry entry(*root);
    EXPECT_EQ(Scope::current(), inner.get());
    inner.reset();
    EXPECT_EQ(Scope::current(), root.get());
  }).join();
}

TEST(SuspendedScope, AnInnerScopeInADestroyedFrameDiesQuietly) {
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  auto root = Scope::suspended({.name = "root"});
  std::unique_ptr<Scope> inner;
  {
    const Scope::Entry entry(*root);
    inner = std::make_unique<Scope>(ScopeOptions{"inner"});
    held.set(value);
  }
  root.reset();
  Scope other({.name = "other"});
  inner.reset();  // where the frame is destroyed, its scope is not current
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(Scope::current(), &other);
}

TEST(SuspendedScopeDeathTest, TwoThreadsInsideAtATimeAreFoundAtTheNextUse) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  using Use = void (*)(const RequestLocal<int>&);
  const struct {
    const char* name;
    Use use;
  } uses[] = {
      {"get", [](const RequestLocal<int>& count) { EXPECT_EQ(count.get(), 1); }},
      {"find", [](const RequestLocal<int>& count) { EXPECT_EQ(*count.find(), 1); }},
      {"set", [](const RequestLocal<int>& count) { count.set(2); }},
      {"bind", [](const RequestLocal<int>& count) { const auto bound = count.bind(2); }},
      {"remove", [](const RequestLocal<int>& count) { count.remove(); }},
      {"capture", [](const RequestLocal<int>&) { EXPECT_EQ(Snapshot::capture().size(), 1U); }},
  };
  for (const auto& use : uses) {
    SCOPED_TRACE(use.name);
    EXPECT_DEATH(
        {
          const RequestLocal<int> count{"count"};
          const auto scope = Scope::suspended({.name = "shared"});
          const Scope::Entry entry(*scope);
          count.set(1);
          std::thread([&] { const Scope::Entry again(*scope); }).join();
          use.use(count);
        },
        "scope 'shared' was entered by another thread while this one was still using it");
  }
}

TEST(BorrowedDeathTest, HoldingAReferenceAcrossASuspensionIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const RequestLocal<std::string> cart{"cart"};
        const auto scope = Scope::suspended({.name = "order"});
        std::optional<Borrowed<std::string>> borrowed;
        {
          const Scope::Entry entry(*scope);
          borrowed.emplace(cart.borrow());
          **borrowed = "a book";
        }
        const Scope::Entry resumed(*scope);
        (*borrowed)->clear();
      },
      "a borrowed value of request-local 'cart' was used after a suspension or outside its scope");
}

TEST(BorrowedDeathTest, UsingOneAfterItsScopeIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const RequestLocal<std::string> cart{"cart"};
        std::optional<Borrowed<std::string>> borrowed;
        {
          Scope scope({.name = "order"});
          borrowed.emplace(cart.borrow());
        }
        (*borrowed)->clear();
      },
      "a borrowed value of request-local 'cart'");
}

TEST(SuspendedScopeDeathTest, APlainScopeCannotBeEnteredAgain) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Scope scope({.name = "plain"});
        const Scope::Entry entry(scope);
      },
      "scope 'plain' was opened as a plain scope");
}

TEST(SuspendedScopeDeathTest, LettingGoOfTheLastOwnerInsideIsFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto scope = Scope::suspended({.name = "gone"});
        const Scope::Entry entry(*scope);
        scope.reset();
      },
      "scope 'gone' destroyed while this thread is inside it");
}

}  // namespace
}  // namespace carrel
