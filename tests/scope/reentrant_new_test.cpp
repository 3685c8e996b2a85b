// An operator new that opens scopes, runs tasks and inspects does not meet itself: nothing is
// allocated or freed under a lock.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/scope.h"
#include "failing_new.h"

namespace carrel {
namespace {

// What the operator new does here, and how often it has.
struct Busy {
  static inline std::atomic<int> calls = 0;
  static inline Boundary* boundary = nullptr;
  static inline const ThreadLocal<int>* variable = nullptr;
  static void use_everything() {
    ++calls;
    const Scope scope({.name = "in operator new"});
    static_cast<void>(inspect());  // may be empty: a thread that has nearly ended has no line
    if (boundary == nullptr) return;
    boundary->run({.name = "in operator new too"}, [] { variable->set(1); });
    EXPECT_FALSE(boundary->leftovers_by_variable().empty());
  }
};

// The thread that it is made on has the operator new above while it lives.
class ReentrantNew {
 public:
  ReentrantNew() { failing_new::at_each = &Busy::use_everything; }
  ReentrantNew(const ReentrantNew&) = delete;
  ReentrantNew& operator=(const ReentrantNew&) = delete;
  ~ReentrantNew() { failing_new::at_each = nullptr; }
};

TEST(ReentrantNew, MayOpenAScopeWhileTheThreadsFirstOneIsOpened) {
  std::thread([] {
    const ReentrantNew reentrant;
    Busy::calls = 0;
    const Scope scope({.name = "first"});
    EXPECT_GT(Busy::calls, 0) << "the thread's line for inspect() is allocated";
    EXPECT_EQ(Scope::current(), &scope);
    std::size_t listed = 0;
    for (const InspectedThread& thread : inspect().threads) listed += thread.scope == "first";
    EXPECT_EQ(listed, 1U);
  }).join();
}

TEST(ReentrantNew, MayInspectWhileAThreadThatWasInAScopeEnds) {
  std::thread([] {
    const Scope scope({.name = "ends"});
    // To the thread's very end, where its line is freed.
    failing_new::at_each = &Busy::use_everything;
  }).join();
  for (const InspectedThread& thread : inspect().threads) EXPECT_NE(thread.scope, "ends");
}

TEST(ReentrantNew, MayInspectWhileManyThreadsAreInspected) {
  std::vector<std::jthread> threads;
  std::atomic<int> opened = 0;
  std::atomic<bool> stop = false;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      const Scope scope({.name = "waits"});
      ++opened;
      opened.notify_all();
      stop.wait(false);
    });
  for (int now = opened; now < 8; now = opened) opened.wait(now);
  std::size_t waiting = 0;
  {
    const ReentrantNew reentrant;
    for (const InspectedThread& thread : inspect().threads) waiting += thread.scope == "waits";
  }
  EXPECT_EQ(waiting, 8U);
  stop = true;
  stop.notify_all();
}

TEST(ReentrantNew, MayRunTasksBehindABoundaryThatIsCountingLeftovers) {
  const ThreadLocal<int> own{{.name = "left by operator new"}};
  const ThreadLocal<int> first{{.name = "a first name that no small string holds"}};
  const ThreadLocal<int> second{{.name = "a second name that no small string holds"}};
  std::size_t reported = 0;
  Boundary boundary(
      {.on_leftover = [&](std::span<const Leftover> found) { reported += found.size(); }});
  Busy::boundary = &boundary;
  Busy::variable = &own;
  {
    const ReentrantNew reentrant;
    for (int i = 0; i < 3; ++i)
      boundary.run({.name = "task"}, [&] {
        first.set(1);
        second.set(2);
      });
  }
  Busy::boundary = nullptr;
  const auto counts = boundary.leftovers_by_variable();
  EXPECT_EQ(counts.at("a first name that no small string holds"), 3U);
  EXPECT_EQ(counts.at("a second name that no small string holds"), 3U);
  EXPECT_GT(counts.at("left by operator new"), 3U);
  EXPECT_EQ(boundary.leftovers(), reported);
}

}  // namespace
}  // namespace carrel
