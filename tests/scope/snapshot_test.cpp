#include "carrel/scope/snapshot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/code_of.h"
#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

template <class F>
void on_another_thread(F&& f) {
  std::jthread(std::forward<F>(f)).join();
}

TEST(Snapshot, TakesItsValuesToAnotherThread) {
  const RequestLocal<std::string> tenant{"tenant"};
  Scope scope({.name = "GET /orders"});
  tenant.set("acme");
  const Snapshot snapshot = Snapshot::capture();
  EXPECT_EQ(snapshot.size(), 1U);
  on_another_thread([&] {
    EXPECT_EQ(tenant.find(), nullptr);
    snapshot.run([&] {
      EXPECT_EQ(tenant.get(), "acme");
      EXPECT_EQ(Scope::current()->name(), "GET /orders");
    });
    EXPECT_EQ(Scope::current(), nullptr);
  });
}

TEST(Snapshot, EachVariableFlowsAsItSays) {
  const RequestLocal<std::string> copied{"copied"};
  const RequestLocal<std::string, Flow::share> shared{"shared"};
  const RequestLocal<std::string, Flow::none> stays{"stays"};
  const RequestLocal<std::unique_ptr<int>> moves_only{"moves_only"};
  Scope scope;
  copied.set("c");
  shared.set("s");
  stays.set("n");
  moves_only.set(std::make_unique<int>(1));
  const std::string* const original = &shared.get();

  const Snapshot snapshot = Snapshot::capture();
  EXPECT_EQ(snapshot.size(), 2U);
  snapshot.run([&] {
    EXPECT_EQ(copied.get(), "c");
    EXPECT_EQ(&shared.get(), original);
    EXPECT_EQ(stays.find(), nullptr);
    EXPECT_EQ(moves_only.find(), nullptr);
  });
}

TEST(Snapshot, ValuesOfTheThreadStayWithTheirThread) {
  const RequestLocal<int> number{"number"};
  const ThreadLocal<int> of_thread{{.name = "of_thread"}};
  Scope scope;
  number.set(1);
  of_thread.set(2);
  const Snapshot snapshot = Snapshot::capture();
  EXPECT_EQ(snapshot.size(), 1U);
  on_another_thread([&] {
    snapshot.run([&] {
      EXPECT_EQ(number.get(), 1);
      EXPECT_EQ(of_thread.peek(), nullptr);
    });
  });
}

TEST(Snapshot, AnInnerScopeOpenedFromOneStartsWithItsValues) {
  const RequestLocal<std::string> tenant{"tenant"};
  Scope outer({.name = "outer"});
  tenant.set("acme");
  {
    const Scope inner(Snapshot::capture(), ScopeName("inner"));
    EXPECT_EQ(inner.name(), "inner");
    EXPECT_EQ(tenant.get(), "acme");
    tenant.set("inner's own");
  }
  EXPECT_EQ(tenant.get(), "acme");
}

TEST(Snapshot, APlainThreadRunsAWrappedFunctionAndInheritsNothingWithoutIt) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(1);
  bool bare = false;
  int wrapped = 0;
  std::thread([&] { bare = Scope::current() == nullptr && number.find() == nullptr; }).join();
  std::thread(Snapshot::capture().wrap([&] { wrapped = number.get(); })).join();
  EXPECT_TRUE(bare);
  EXPECT_EQ(wrapped, 1);
}

TEST(Snapshot, AConcurrentValueIsOneForAll) {
  const RequestLocal<std::atomic<int>, Flow::share> hits{"hits"};
  Scope scope;
  (void)hits.get();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.push_back(jthread_in_scope([&] { ++hits.get(); }));
  }
  EXPECT_EQ(hits.get().load(), 4);
}

TEST(Snapshot, WhatIsSetLaterIsNotSeenAndAChildsSetDoesNotComeBack) {
  const RequestLocal<int> number{"number"};
  const RequestLocal<int> late{"late"};
  Scope scope;
  number.set(1);
  const Snapshot snapshot = Snapshot::capture();
  number.set(2);
  late.set(3);
  for (int i = 0; i < 2; ++i) {  // the same snapshot run twice: each run has its own copies
    snapshot.run([&] {
      EXPECT_EQ(number.get(), 1);
      EXPECT_EQ(late.find(), nullptr);
      number.set(99);
    });
  }
  EXPECT_EQ(number.get(), 2);
}

TEST(Snapshot, ABoundValueIsCapturedAndADisplacedOneIsNot) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(1);
  const auto bound = number.bind(2);
  const Snapshot snapshot = Snapshot::capture();
  EXPECT_EQ(snapshot.size(), 1U);
  snapshot.run([&] { EXPECT_EQ(number.get(), 2); });
}

TEST(Snapshot, RunInlineRestoresTheScopeAlsoWhenTheTaskThrows) {
  const RequestLocal<int> number{"number"};
  Scope scope({.name = "outer"});
  number.set(1);
  const Snapshot snapshot = Snapshot::capture();
  EXPECT_THROW(snapshot.run([&] {
    number.set(2);
    throw std::runtime_error("out");
  }),
               std::runtime_error);
  EXPECT_EQ(Scope::current(), &scope);
  EXPECT_EQ(number.get(), 1);
}

TEST(Snapshot, CarriesNameDeadlineClockAndTrace) {
  ManualClock clock;
  Scope scope({.name = "outer", .deadline = clock.steady_now() + 1s, .clock = &clock});
  const Snapshot snapshot = Snapshot::capture();
  snapshot.run([&] {
    const Scope& child = *Scope::current();
    EXPECT_EQ(child.name(), "outer");
    EXPECT_EQ(child.deadline(), scope.deadline());
    EXPECT_EQ(&child.clock(), &clock);
    EXPECT_EQ(child.trace().trace_id, scope.trace().trace_id);
    EXPECT_NE(child.trace().span_id, scope.trace().span_id)
        << "a part of the request: a child span";
  });
  snapshot.run([] { EXPECT_EQ(Scope::current()->name(), "branch"); }, "branch");
}

TEST(Snapshot, TakesTheTraceStateAlong) {
  const auto trace =
      TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "a=1,b=2");
  const Snapshot snapshot = [&] {
    Scope scope({.trace = trace});
    return Snapshot::capture();
  }();
  snapshot.wrap([&] {
    EXPECT_EQ(Scope::current()->trace().state.text(), "a=1,b=2");
    Snapshot::capture().run([&] {
      EXPECT_EQ(Scope::current()->trace().state.text(), "a=1,b=2") << "and a grandchild";
    });
  })();
}

TEST(Snapshot, ReturnsWhatTheTaskReturns) {
  const Snapshot snapshot;
  int number = 3;
  EXPECT_EQ(&snapshot.run([&]() -> int& { return number; }), &number);
  EXPECT_EQ(*snapshot.run([] { return std::make_unique<int>(4); }), 4);
}

TEST(Snapshot, OutsideAnyScopeItIsEmptyAndRunsInAnEmptyScope) {
  const Snapshot snapshot = Snapshot::capture();
  EXPECT_EQ(snapshot.size(), 0U);
  snapshot.run([] { EXPECT_NE(Scope::current(), nullptr); });
}

TEST(Snapshot, DiesWithTheLastTaskThatHoldsItAndHoldsOnlyWhatFlows) {
  const RequestLocal<std::shared_ptr<int>> flows{"flows"};
  const RequestLocal<std::shared_ptr<int>, Flow::none> stays{"stays"};
  const auto flowing = std::make_shared<int>(1);
  const auto staying = std::make_shared<int>(2);
  std::function<void()> task;
  {
    Scope scope;
    flows.set(flowing);
    stays.set(staying);
    task = Snapshot::capture().wrap([&] { EXPECT_EQ(flows.get(), flowing); });
  }
  EXPECT_EQ(staying.use_count(), 1) << "died with its scope";
  EXPECT_EQ(flowing.use_count(), 2) << "held by the task alone";
  task();
  task();
  EXPECT_EQ(flowing.use_count(), 2);
  task = nullptr;
  EXPECT_EQ(flowing.use_count(), 1);
}

struct Brittle {
  Brittle() = default;
  Brittle(const Brittle& other) : copies(other.copies) {
    if (++*copies > 1) throw std::runtime_error("no more copies");
  }
  Brittle& operator=(const Brittle&) = default;
  Brittle(Brittle&&) = default;
  Brittle& operator=(Brittle&&) = default;
  std::shared_ptr<int> copies = std::make_shared<int>(0);
};

TEST(Snapshot, ACopyThatThrowsLeavesTheScopeAsItWas) {
  const RequestLocal<std::string> text{"text"};
  const RequestLocal<Brittle> brittle{"brittle"};
  Scope scope({.name = "outer"});
  text.set("a text that needs the heap, so that a leak would be seen");
  (void)brittle.get();
  const Snapshot snapshot = Snapshot::capture();  // the first copy
  EXPECT_THROW(snapshot.run([] { FAIL() << "ran"; }), std::runtime_error);
  EXPECT_THROW((void)Snapshot::capture(), std::runtime_error);
  EXPECT_EQ(Scope::current(), &scope);
}

TEST(Wrap, TakesArgumentsAndKeepsTheFunctionsConstness) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(10);
  const auto add = Snapshot::capture().wrap([&](int n) { return number.get() + n; });
  int sum = 0;
  on_another_thread([&] { sum = add(5); });
  EXPECT_EQ(sum, 15);

  auto counts = Snapshot::capture().wrap([n = 0]() mutable { return ++n; });
  static_assert(!std::is_invocable_v<const decltype(counts)&>);
  EXPECT_EQ(counts(), 1);
  EXPECT_EQ(counts(), 2);
}

TEST(Wrap, TakesAMoveOnlyFunction) {
  auto task = Snapshot().wrap([p = std::make_unique<int>(7)] { return *p; });
  static_assert(!std::is_copy_constructible_v<decltype(task)>);
  auto moved = std::move(task);
  EXPECT_EQ(moved(), 7);
}

template <class T>
concept CanBeWrapped =
    requires(const Snapshot& snapshot, T&& t) { snapshot.wrap(std::forward<T>(t)); };
TEST(Wrap, TwiceDoesNotCompile) {
  auto function = [] {};
  using Once = decltype(Snapshot().wrap(function));
  static_assert(CanBeWrapped<decltype(function)>);
  static_assert(!CanBeWrapped<Once> && !CanBeWrapped<Once&> && !CanBeWrapped<const Once&>);
  static_assert(!CanBeWrapped<std::reference_wrapper<Once>> &&
                !CanBeWrapped<std::reference_wrapper<const Once>>);
}

TEST(Wrap, TwiceThroughAFunctionObjectIsAnError) {
  const Snapshot snapshot = Snapshot::capture();
  const auto once = snapshot.wrap([](int n) { return n; });
  std::function<int(int)> hidden = once;
  const std::function<int(int)> constant = once;
  EXPECT_EQ(code_of([&] { (void)snapshot.wrap(hidden); }), "snapshot.wrapped_twice");
  EXPECT_EQ(code_of([&] { (void)snapshot.wrap(constant); }), "snapshot.wrapped_twice");
  EXPECT_EQ(code_of([&] { (void)snapshot.wrap(std::move(hidden)); }), "snapshot.wrapped_twice");
  const std::function<void()> started = snapshot.wrap([] {});
  EXPECT_EQ(code_of([&] { (void)jthread_in_scope(started); }), "snapshot.wrapped_twice");
}

TEST(Wrap, AFunctionObjectOfAnythingElseIsWrappedAndMayCallAWrappedFunction) {
  const RequestLocal<int> number{"number"};
  std::function<int()> callback;
  {
    const Scope registering({.name = "registering"});
    number.set(1);
    callback = Snapshot::capture().wrap([&] { return number.get(); });
  }
  const Scope posting({.name = "posting"});
  number.set(2);
  const std::function<int()> task = [&] { return 10 * callback() + number.get(); };
  EXPECT_EQ(Snapshot::capture().wrap(task)(), 12);
  EXPECT_EQ(code_of([] { (void)Snapshot().wrap(std::function<void()>()); }), "");
}

// A snapshot of something that cannot be copied does not compile with Flow::copy: the class
// template's own assertion says why, and the default for such types is Flow::none.
static_assert(kDefaultFlow<std::unique_ptr<int>> == Flow::none);
static_assert(kDefaultFlow<std::string> == Flow::copy);

TEST(Wrap, ManyThreadsRunOneWrappedFunction) {
  const RequestLocal<std::vector<int>> numbers{"numbers"};
  Scope scope;
  numbers.set({3, 1, 2});
  const auto sort_own = Snapshot::capture().wrap([&] {
    std::sort(numbers.get().begin(), numbers.get().end());
    numbers.get().push_back(4);
    return numbers.get().size();
  });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < 200; ++n) ASSERT_EQ(sort_own(), 4U);
      });
  }
  EXPECT_EQ(numbers.get(), (std::vector<int>{3, 1, 2}));
}

TEST(Detach, RunsWithNoContextAtAll) {
  const RequestLocal<int> number{"number"};
  Scope scope;
  number.set(1);
  const auto background = detach([&] {
    EXPECT_EQ(Scope::current(), nullptr);
    EXPECT_THROW((void)number.get(), NoScope);
  });
  background();
  EXPECT_EQ(Scope::current(), &scope);
}

TEST(Jthread, TakesTheScopeAndTheStopToken) {
  const RequestLocal<std::string> tenant{"tenant"};
  std::string seen;
  bool had_token = false;
  {
    Scope scope;
    tenant.set("acme");
    const auto thread = jthread_in_scope(
        [&](const std::stop_token& token, const std::string& suffix) {
          seen = tenant.get() + suffix;
          had_token = token.stop_possible();
        },
        "!");
  }
  EXPECT_EQ(seen, "acme!");
  EXPECT_TRUE(had_token);
}

}  // namespace
}  // namespace carrel
