// What a ThreadLocal promises on one thread, and between threads that do not end meanwhile.
#include "carrel/local/thread_local.h"

#include <gtest/gtest.h>

#include <coroutine>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "carrel/local/internal/audit.h"
#include "carrel/local/internal/inspect.h"
#include "local/values_for_tests.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::on_another_thread;

TEST(ThreadLocal, GetMakesTheInitialValueOnce) {
  int made = 0;
  const ThreadLocal<std::string> greeting{{.initial = [&made] {
    ++made;
    return std::string("hello");
  }}};
  EXPECT_EQ(greeting.get(), "hello");
  greeting.get() += " world";
  EXPECT_EQ(greeting.get(), "hello world");
  EXPECT_EQ(made, 1);
}

TEST(ThreadLocal, WithoutInitialTheValueIsDefaultConstructed) {
  const ThreadLocal<int> number;
  EXPECT_EQ(number.get(), 0);
}

TEST(ThreadLocal, WithInitialIsShortForThatOption) {
  const auto number = ThreadLocal<int>::with_initial([] { return 42; });
  EXPECT_EQ(number.get(), 42);
}

TEST(ThreadLocal, SetForestallsTheInitialValue) {
  const auto number = ThreadLocal<int>::with_initial([]() -> int {
    ADD_FAILURE() << "the initialiser ran";
    return 0;
  });
  number.set(7);
  EXPECT_EQ(number.get(), 7);
}

TEST(ThreadLocal, RemoveArmsTheInitialValueAgain) {
  int made = 0;
  const auto number = ThreadLocal<int>::with_initial([&made] { return ++made; });
  EXPECT_EQ(number.get(), 1);
  EXPECT_TRUE(number.remove());
  EXPECT_FALSE(number.remove());
  EXPECT_EQ(number.get(), 2);
}

TEST(ThreadLocal, PeekNeverMakesAValue) {
  const auto number = ThreadLocal<int>::with_initial([] { return 1; });
  EXPECT_EQ(number.peek(), nullptr);
  number.get();
  ASSERT_NE(number.peek(), nullptr);
  EXPECT_EQ(*number.peek(), 1);
}

// Nobody can know better: what a task has left is found by the boundary, which knows when it ended.
TEST(ThreadLocal, AValueThatNobodyRemovesStaysAsLongAsVariableAndThread) {
  const ThreadLocal<std::string> marker;
  local::Worker worker;
  worker.call([&] { marker.set("merchant"); });
  worker.call([&] { EXPECT_EQ(marker.get(), "merchant"); });
}

TEST(ThreadLocal, TakeMovesTheValueOut) {
  const ThreadLocal<std::unique_ptr<int>> owner;
  owner.set(std::make_unique<int>(5));
  const std::optional<std::unique_ptr<int>> taken = owner.take();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(**taken, 5);
  EXPECT_EQ(owner.peek(), nullptr);
  EXPECT_EQ(owner.take(), std::nullopt);
}

TEST(ThreadLocal, BindRestoresWhatWasThere) {
  const ThreadLocal<std::string> tenant;
  tenant.set("acme");
  {
    const auto bound = tenant.bind("other");
    EXPECT_EQ(tenant.get(), "other");
    {
      const auto inner = tenant.bind("third");
      EXPECT_EQ(tenant.get(), "third");
    }
    EXPECT_EQ(tenant.get(), "other");
  }
  EXPECT_EQ(tenant.get(), "acme");
}

TEST(ThreadLocal, BindOverNothingLeavesNothing) {
  const ThreadLocal<std::string> tenant;
  {
    const auto bound = tenant.bind("other");
  }
  EXPECT_EQ(tenant.peek(), nullptr);
}

TEST(ThreadLocal, EveryThreadHasAValueOfItsOwn) {
  const ThreadLocal<int> number;
  number.set(1);
  on_another_thread([&number] {
    EXPECT_EQ(number.peek(), nullptr);
    number.set(2);
    EXPECT_EQ(number.get(), 2);
  });
  EXPECT_EQ(number.get(), 1);
}

// A coroutine that is its own owner, and a suspension that it comes out of on another thread.
struct Coroutine {
  struct promise_type {
    Coroutine get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };
};
struct OnAnotherThread {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) const {
    on_another_thread([coroutine] { coroutine.resume(); });
  }
  void await_resume() const noexcept {}
};

Coroutine read_on_two_threads(const ThreadLocal<int>& number, int& before, int& after) {
  before = number.get();
  co_await OnAnotherThread{};
  after = number.get();
}

TEST(ThreadLocal, ACoroutineReadsTheValueOfTheThreadThatItRunsOn) {
  const ThreadLocal<int> number({.initial = [] { return 7; }});
  number.set(1);
  int before = 0;
  int after = 0;
  read_on_two_threads(number, before, after);
  EXPECT_EQ(before, 1);
  EXPECT_EQ(after, 7);
}

TEST(ThreadLocal, ReferencesStayValidWhileTheTableGrows) {
  const ThreadLocal<int> first;
  int& reference = first.get();
  std::vector<std::unique_ptr<ThreadLocal<int>>> others;
  for (int i = 0; i < 1000; ++i) {
    others.push_back(std::make_unique<ThreadLocal<int>>());
    others.back()->set(i);
  }
  reference = 77;
  EXPECT_EQ(&first.get(), &reference);
  EXPECT_EQ(first.get(), 77);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(others[static_cast<std::size_t>(i)]->get(), i);
}

TEST(ThreadLocal, AuditSeesWhatATaskCreatesOrReplaces) {
  const ThreadLocal<int> before{{.name = "before"}};
  const ThreadLocal<int> fresh{{.name = "fresh"}};
  const ThreadLocal<int> cache{{.name = "cache", .lifetime = Lifetime::thread}};
  before.set(1);
  const local::AuditMark mark = local::mark_audit();
  EXPECT_FALSE(local::changed_since(mark));
  fresh.set(1);
  cache.set(1);
  before.set(2);
  EXPECT_TRUE(local::changed_since(mark));
  const std::vector<local::ValueRecord> left = local::values_since(mark);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].variable, "before");
  EXPECT_EQ(left[0].type, "int");
  EXPECT_EQ(left[0].bytes, sizeof(int));
  EXPECT_EQ(left[1].variable, "fresh");
  EXPECT_TRUE(local::remove_value(left[1].key));
  EXPECT_FALSE(local::remove_value(left[1].key));
  EXPECT_EQ(fresh.peek(), nullptr);
  EXPECT_EQ(local::values_since(mark).size(), 1U);
}

TEST(ThreadLocal, AuditSeesNothingOfABindGuardThatHasEnded) {
  const ThreadLocal<int> number{{.name = "number"}};
  const ThreadLocal<int> other;
  number.set(1);
  const local::AuditMark mark = local::mark_audit();
  {
    const auto bound = number.bind(2);
    const auto made = other.bind(2);
    EXPECT_EQ(local::values_since(mark).size(), 2U);
  }
  EXPECT_TRUE(local::values_since(mark).empty());
}

TEST(ThreadLocal, AuditSeesWhatWasMadeBeforeABoundVariableWasRemovedAndSetAgain) {
  const ThreadLocal<int> bound{{.name = "bound"}};
  const ThreadLocal<int> left{{.name = "left"}};
  bound.set(1);
  const local::AuditMark mark = local::mark_audit();
  {
    const auto guard = bound.bind(2);
    left.set(7);
    bound.remove();
    bound.set(3);
  }
  EXPECT_EQ(bound.get(), 1);
  EXPECT_TRUE(local::changed_since(mark));
  const std::vector<local::ValueRecord> found = local::values_since(mark);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].variable, "left");
}

}  // namespace
}  // namespace carrel
