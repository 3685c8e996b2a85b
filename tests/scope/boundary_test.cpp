#include "carrel/scope/boundary.h"

#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/request_local.h"
#include "scope/phoenix.h"

namespace carrel {
namespace {

using namespace std::chrono_literals;

struct Journal {
  std::vector<Leftover> leftovers;
  std::function<void(std::span<const Leftover>)> printer() {
    return [this](std::span<const Leftover> found) {
      leftovers.insert(leftovers.end(), found.begin(), found.end());
    };
  }
};

TEST(Boundary, RunsATaskInAScopeOfItsOwnAndReturnsWhatItReturns) {
  Boundary boundary;
  int number = 5;
  int& reference = boundary.run({.name = "task"}, [&]() -> int& {
    EXPECT_EQ(Scope::current()->name(), "task");
    return number;
  });
  EXPECT_EQ(&reference, &number);
  EXPECT_EQ(Scope::current(), nullptr);
  EXPECT_EQ(boundary.tasks(), 1U);
  EXPECT_EQ(boundary.leftovers(), 0U);
}

TEST(Boundary, ClearIsThePolicyByDefaultAndLeavesNothing) {
  Journal journal;
  ManualClock clock;
  ThreadLocal<std::string> tenant{{.name = "tenant"}};
  Boundary boundary({.on_leftover = journal.printer()});
  boundary.run({.name = "GET /orders", .clock = &clock}, [&] {
    tenant.set("acme");
    clock.advance(250ms);
  });
  EXPECT_EQ(tenant.peek(), nullptr);
  ASSERT_EQ(journal.leftovers.size(), 1U);
  const Leftover& leftover = journal.leftovers.front();
  EXPECT_EQ(leftover.variable, "tenant");
  EXPECT_NE(leftover.type.find("basic_string"), std::string::npos) << leftover.type;
  EXPECT_EQ(leftover.bytes, sizeof(std::string));
  EXPECT_EQ(leftover.task, "GET /orders");
  EXPECT_EQ(leftover.task_age, 250ms);
}

TEST(Boundary, ReportLeavesTheValueAndDoesNotBlameTheNextTask) {
  Journal journal;
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.audit = AuditPolicy::report, .on_leftover = journal.printer()});
  boundary.run({.name = "first"}, [&] { marker.set(1); });
  boundary.run({.name = "second"}, [&] { EXPECT_EQ(marker.get(), 1) << "report changes nothing"; });
  boundary.run({.name = "third"}, [&] { marker.set(3); });  // replaced: its own
  ASSERT_EQ(journal.leftovers.size(), 2U);
  EXPECT_EQ(journal.leftovers[0].task, "first");
  EXPECT_EQ(journal.leftovers[1].task, "third");
  EXPECT_EQ(boundary.leftovers(), 2U);
  EXPECT_EQ(boundary.leftovers_by_variable(),
            (std::map<std::string, std::uint64_t>{{"marker", 2}}));
}

TEST(Boundary, OffDoesNotLook) {
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.audit = AuditPolicy::off});
  boundary.run({}, [&] { marker.set(1); });
  EXPECT_EQ(boundary.leftovers(), 0U);
  EXPECT_NE(marker.peek(), nullptr);
}

TEST(BoundaryDeathTest, AbortNamesTheTaskAndTheVariable) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadLocal<int> marker{{.name = "marker"}};
        Boundary boundary({.audit = AuditPolicy::abort});
        boundary.run({.name = "bad task"}, [&] { marker.set(1); });
      },
      "task 'bad task' left 'marker' \\(int, 4 bytes, ");
}

TEST(Boundary, WhatATaskTookAwayAgainIsNoLeftover) {
  Journal journal;
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.on_leftover = journal.printer()});
  boundary.run({}, [&] {
    marker.set(1);
    marker.remove();
    const auto bound = marker.bind(2);
  });
  EXPECT_TRUE(journal.leftovers.empty());
}

TEST(Boundary, DeclaredCachesAreNoLeftovers) {
  Journal journal;
  ThreadLocal<std::vector<int>> cache{{.name = "cache", .lifetime = Lifetime::thread}};
  Boundary boundary({.on_leftover = journal.printer()});
  for (int i = 0; i < 3; ++i) boundary.run({}, [&] { cache.get().push_back(i); });
  EXPECT_TRUE(journal.leftovers.empty());
  EXPECT_EQ(cache.get().size(), 3U);
}

TEST(Boundary, ValuesOfTheScopeAreGoneBeforeTheAudit) {
  struct LeavesOneBehind {
    ThreadLocal<int>* marker = nullptr;
    ~LeavesOneBehind() {
      if (marker != nullptr) marker->set(1);
    }
  };
  Journal journal;
  ThreadLocal<int> marker{{.name = "marker"}};
  const RequestLocal<std::unique_ptr<LeavesOneBehind>> held{"held"};
  Boundary boundary({.on_leftover = journal.printer()});
  boundary.run({.name = "task"}, [&] {
    held.set(std::make_unique<LeavesOneBehind>());
    held.get()->marker = &marker;
  });
  ASSERT_EQ(journal.leftovers.size(), 1U) << "a destructor of the scope's belongs to the task";
  EXPECT_EQ(marker.peek(), nullptr);
}

TEST(Boundary, ALeftoverWhoseDestructorLeavesAnotherIsClearedToo) {
  struct Chain {
    ThreadLocal<int>* next = nullptr;
    ~Chain() {
      if (next != nullptr) next->set(1);
    }
  };
  Journal journal;
  ThreadLocal<int> second{{.name = "second"}};
  ThreadLocal<std::unique_ptr<Chain>> first{{.name = "first"}};
  Boundary boundary({.on_leftover = journal.printer()});
  boundary.run({}, [&] {
    first.set(std::make_unique<Chain>());
    first.get()->next = &second;
  });
  EXPECT_EQ(second.peek(), nullptr);
  EXPECT_EQ(journal.leftovers.size(), 2U);
}

TEST(Boundary, ALeftoverThatComesBackWithoutEndIsReportedAndStays) {
  Journal journal;
  bool again = true;
  const ThreadLocal<Phoenix> variable{{.name = "phoenix"}};
  Boundary boundary({.on_leftover = journal.printer()});
  testing::internal::CaptureStderr();
  boundary.run({.name = "bad task"}, [&] { variable.set(Phoenix(variable, again)); });
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "carrel: task 'bad task' left 1 values that destructors made again and again: they "
            "stay on its thread\n");
  EXPECT_NE(variable.peek(), nullptr);
  EXPECT_EQ(journal.leftovers.size(), 9U) << "one of each round, and the one that stays";
  EXPECT_EQ(boundary.leftovers(), 9U);

  boundary.run({.name = "next task"}, [] {});
  EXPECT_EQ(boundary.leftovers(), 9U) << "the next task is not blamed for it";
  again = false;
  variable.remove();
}

TEST(Boundary, AValueThatItsDyingVariableDestroysMeanwhileIsNoLeftover) {
  std::latch held(1);
  std::latch dying(1);
  std::latch audited(1);
  struct SlowFarewell {
    std::latch* begun = nullptr;
    std::latch* end = nullptr;
    SlowFarewell() = default;
    SlowFarewell(std::latch& is_begun, std::latch& may_end) : begun(&is_begun), end(&may_end) {}
    SlowFarewell(SlowFarewell&& other) noexcept
        : begun(std::exchange(other.begun, nullptr)), end(other.end) {}
    SlowFarewell& operator=(SlowFarewell&&) = delete;
    ~SlowFarewell() {
      if (begun == nullptr) return;
      begun->count_down();
      end->wait();
    }
  };
  auto variable = std::make_unique<ThreadLocal<SlowFarewell>>();
  Boundary boundary;
  std::jthread worker([&] {
    boundary.run({}, [&] {
      variable->set(SlowFarewell(dying, audited));
      held.count_down();
      dying.wait();
    });
    audited.count_down();
  });
  held.wait();
  variable.reset();
  worker.join();
  EXPECT_EQ(boundary.leftovers(), 0U);
}

TEST(Boundary, ATaskThatThrowsIsAuditedAllTheSame) {
  Journal journal;
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.on_leftover = journal.printer()});
  EXPECT_THROW(boundary.run({.name = "throws"},
                            [&] {
                              marker.set(1);
                              throw std::runtime_error("out");
                            }),
               std::runtime_error);
  EXPECT_EQ(journal.leftovers.size(), 1U);
  EXPECT_EQ(marker.peek(), nullptr);
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(Boundary, SurvivesAThrowingPrinter) {
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.on_leftover = [](std::span<const Leftover>) {
    throw std::runtime_error("broken printer");
  }});
  testing::internal::CaptureStderr();
  const int result = boundary.run({}, [&] {
    marker.set(1);
    return 7;
  });
  EXPECT_EQ(result, 7);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("broken printer"), std::string::npos);
  EXPECT_EQ(boundary.printer_failures(), 1U);
  EXPECT_EQ(boundary.leftovers(), 1U);
  EXPECT_EQ(marker.peek(), nullptr);
}

TEST(Boundary, SurvivesAPrinterThatThrowsWhateverItLikes) {
  struct Surprise {};
  ThreadLocal<int> marker{{.name = "marker"}};
  Boundary boundary({.on_leftover = [](std::span<const Leftover>) { throw Surprise(); }});
  testing::internal::CaptureStderr();
  EXPECT_EQ(boundary.run({}, [&] { return marker.get() = 7; }), 7);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("Surprise"), std::string::npos);
  EXPECT_EQ(boundary.printer_failures(), 1U);
}

TEST(Boundary, ATaskWhoseScopeCannotBeOpenedHasNotPassed) {
  Boundary boundary;
  std::vector<std::unique_ptr<Scope>> open;
  while (open.size() < Scope::kDepthMax) open.push_back(std::make_unique<Scope>());
  EXPECT_THROW(boundary.run({.name = "too deep"}, [] { FAIL() << "ran"; }), Error);
  EXPECT_EQ(boundary.tasks(), 0U);
  EXPECT_EQ(boundary.scope_times().total, 0ns);
  while (!open.empty()) open.pop_back();
}

TEST(Boundary, ANestedOneAnswersForItsOwnTaskOnly) {
  Journal outer_journal;
  Journal inner_journal;
  ThreadLocal<int> outer_marker{{.name = "outer_marker"}};
  ThreadLocal<int> inner_marker{{.name = "inner_marker"}};
  Boundary outer({.on_leftover = outer_journal.printer()});
  Boundary inner({.on_leftover = inner_journal.printer()});
  outer.run({.name = "outer"}, [&] {
    outer_marker.set(1);
    inner.run({.name = "inner"}, [&] { inner_marker.set(1); });
    EXPECT_NE(outer_marker.peek(), nullptr) << "the inner boundary must not clear the caller's";
  });
  ASSERT_EQ(inner_journal.leftovers.size(), 1U);
  EXPECT_EQ(inner_journal.leftovers[0].variable, "inner_marker");
  ASSERT_EQ(outer_journal.leftovers.size(), 1U);
  EXPECT_EQ(outer_journal.leftovers[0].variable, "outer_marker");
}

TEST(Boundary, CountsExactlyFromManyThreads) {
  ThreadLocal<int> a{{.name = "a"}};
  ThreadLocal<int> b{{.name = "b"}};
  Boundary boundary({.on_leftover = [](std::span<const Leftover>) {}});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i)
          boundary.run({.name = "task"}, [&] {
            if (i % 2 == 0) a.set(i);
            if (i % 5 == 0) b.set(i);
          });
      });
  }
  EXPECT_EQ(boundary.tasks(), 4000U);
  EXPECT_EQ(boundary.leftovers_by_variable(),
            (std::map<std::string, std::uint64_t>{{"a", 2000}, {"b", 800}}));
  EXPECT_EQ(boundary.leftovers(), 2800U);
}

// More at a time than can have counters of their own, and others after them, which take those over.
TEST(Boundary, CountsExactlyWhateverThreadsComeAndGo) {
  constexpr int kThreads = 45;
  constexpr int kTasks = 200;
  Boundary boundary;
  for (int generation = 0; generation < 3; ++generation) {
    std::latch all_here(kThreads);
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&] {
        boundary.run({.name = "first"}, [] {});
        all_here.arrive_and_wait();
        for (int i = 1; i < kTasks; ++i) boundary.run({.name = "task"}, [] {});
      });
  }
  EXPECT_EQ(boundary.tasks(), 3U * kThreads * kTasks);
}

TEST(Boundary, KeepsTheTimesOfItsScopes) {
  ManualClock clock;
  Boundary boundary;
  for (const auto lasting : {5us, 50us, 50us})
    boundary.run({.clock = &clock}, [&] { clock.advance(lasting); });
  boundary.run({.clock = &clock}, [&] { clock.advance(1min); });
  const ScopeTimes times = boundary.scope_times();
  EXPECT_EQ(times.counts, (std::array<std::uint64_t, 8>{1, 2, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(times.total, 105us + 1min);
}

}  // namespace
}  // namespace carrel
