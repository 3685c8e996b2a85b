// Visiting the values of all threads, and inspecting them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"
#include "local/worker.h"

namespace carrel {
namespace {

// A value that may be used by several threads, and that knows whether it lives.
struct Shared {
  std::atomic<int> number{0};
  std::atomic<int>* destroyed = nullptr;
  std::atomic<bool> alive{true};
  ~Shared() {
    alive = false;
    number = -1;
    if (destroyed != nullptr) ++*destroyed;
  }
};

}  // namespace

template <>
inline constexpr bool is_concurrent<Shared> = true;

namespace {

using local::Event;
using local::on_another_thread;
using local::Worker;

TEST(ForEachThread, VisitsEveryValueOnce) {
  const ThreadLocal<std::atomic<int>> hits;
  hits.get() = 1;
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < 10; ++i) {
    workers.push_back(std::make_unique<Worker>());
    workers.back()->call([&] { hits.get() = 1; });
  }
  on_another_thread([&] { hits.get() = 100; });  // ends
  workers[0]->call([&] { hits.remove(); });
  int sum = 0;
  hits.for_each_thread([&](const std::atomic<int>& value) { sum += value; });
  EXPECT_EQ(sum, 10);
}

TEST(ForEachThread, ACallbackMayDoAnythingWithTheMap) {
  const ThreadLocal<std::atomic<int>> variable;
  const ThreadLocal<int> other;
  Worker worker;
  variable.get() = 1;
  worker.call([&] { variable.get() = 2; });
  int visits = 0;
  variable.for_each_thread([&](std::atomic<int>&) {
    ++visits;
    other.set(visits);
    variable.remove();
    variable.get() = 5;
    variable.for_each_thread([&](std::atomic<int>&) {});
    const ThreadLocal<int> made;
    made.set(1);
  });
  EXPECT_EQ(visits, 2);
  EXPECT_EQ(variable.get(), 5);
}

TEST(ForEachThread, WhatACallbackThrowsComesOut) {
  const ThreadLocal<std::atomic<int>> variable;
  variable.get() = 1;
  EXPECT_THROW(variable.for_each_thread([](std::atomic<int>&) { throw std::runtime_error("x"); }),
               std::runtime_error);
  EXPECT_TRUE(variable.remove()) << "the value is still pinned";
  EXPECT_EQ(variable.statistics().values, 0U);
}

TEST(ForEachThread, AValueThatItsOwnerRemovesMeanwhileLivesUntilTheVisitEnds) {
  std::atomic<int> destroyed = 0;
  const ThreadLocal<Shared> variable;
  Worker worker;
  worker.call([&] { variable.get().destroyed = &destroyed; });
  variable.for_each_thread([&](Shared& value) {
    worker.call([&] {
      EXPECT_TRUE(variable.remove());
      EXPECT_EQ(variable.peek(), nullptr);
      variable.get().number = 7;  // a new one
    });
    EXPECT_TRUE(value.alive);
    EXPECT_EQ(destroyed, 0);
  });
  EXPECT_EQ(destroyed, 1);
  worker.call([&] { EXPECT_EQ(variable.get().number, 7); });
}

TEST(ForEachThread, AValueWhoseThreadEndsMeanwhileLivesUntilTheVisitEnds) {
  std::atomic<int> destroyed = 0;
  const ThreadLocal<Shared> variable;
  Worker worker;
  worker.call([&] { variable.get().destroyed = &destroyed; });
  variable.for_each_thread([&](Shared& value) {
    worker.end();
    EXPECT_TRUE(value.alive);
    EXPECT_EQ(destroyed, 0);
  });
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(variable.statistics().values, 0U);
}

TEST(ForEachThread, ABlockedCallbackStopsNobody) {
  const ThreadLocal<Shared> variable;
  const ThreadLocal<int> other;
  Worker holder;
  holder.call([&] { variable.get(); });
  Event visiting;
  Event go_on;
  std::thread visitor([&] {
    variable.for_each_thread([&](Shared&) {
      visiting.set();
      go_on.wait();
    });
  });
  visiting.wait();
  holder.call([&] {
    for (int i = 0; i < 100; ++i) {
      variable.remove();
      variable.get();
      other.set(i);
    }
  });
  on_another_thread([&] { variable.get(); });
  EXPECT_EQ(variable.statistics().values, 2U) << "the visited value and the new one";
  go_on.set();
  visitor.join();
}

TEST(ForEachThread, NeverMeetsAHalfDeadValueWhileThreadsComeAndGo) {
  const ThreadLocal<Shared> variable;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        std::thread([&] {
          std::vector<std::unique_ptr<ThreadLocal<int>>> growth;
          for (int n = 0; n < 20; ++n) {
            variable.get().number = 1;
            growth.push_back(std::make_unique<ThreadLocal<int>>());
            growth.back()->set(n);
            if (n % 3 == 0) variable.remove();
          }
        }).join();
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    variable.for_each_thread([&](Shared& value) {
      EXPECT_TRUE(value.alive);
      EXPECT_GE(value.number, 0);
    });
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(variable.statistics().values, 0U);
}

TEST(ForEachThreadDeathTest, DestroyingTheVariableWithinStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  auto variable = std::make_unique<ThreadLocal<std::atomic<int>>>();
  variable->get() = 1;
  EXPECT_DEATH(variable->for_each_thread([&](std::atomic<int>&) { variable.reset(); }),
               "destroyed by a visitor");
}

TEST(Inspect, ListsWhatEveryThreadHolds) {
  const ThreadLocal<int> number{{.name = "number"}};
  const ThreadLocal<std::string> text{{.name = "text", .lifetime = Lifetime::thread}};
  Worker worker;
  std::uint64_t id = 0;
  number.set(1);
  worker.call([&] {
    text.set("x");
    text.publish_bytes(500);
    number.set(2);
    id = local::thread_block.id;
  });
  const std::vector<local::ThreadReport> reports = local::inspect_threads();
  const auto report = std::ranges::find(reports, id, &local::ThreadReport::thread);
  ASSERT_NE(report, reports.end());
  EXPECT_EQ(report->entries, 2U);
  EXPECT_EQ(report->capacity, 16U);
  EXPECT_EQ(report->stale, 0U);
  ASSERT_EQ(report->values.size(), 2U);
  const auto record = std::ranges::find(report->values, "text", &local::ValueRecord::variable);
  ASSERT_NE(record, report->values.end());
  EXPECT_EQ(record->bytes, 500U);
  EXPECT_EQ(record->lifetime, Lifetime::thread);
}

TEST(Inspect, RunsWhileThreadsAndVariablesComeAndGo) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        // Two kinds of variables take each other's slots.
        const ThreadLocal<int> number{{.name = std::string(100, 'n')}};
        number.set(1);
        on_another_thread([&] { number.set(2); });
        const ThreadLocal<std::array<char, 40>> text{{.name = std::string(50, 't')}};
        text.get();
        on_another_thread([&] { text.get(); });
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    for (const local::ThreadReport& report : local::inspect_threads()) {
      for (const local::ValueRecord& value : report.values) {
        EXPECT_EQ(value.bytes, value.variable.front() == 'n' ? sizeof(int) : 40U);
      }
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(Inspect, NamesAVariableWithoutNameByItsType) {
  const ThreadLocal<int> number;
  number.set(1);
  ASSERT_EQ(local::values_of_this_thread().size(), 1U);
  EXPECT_EQ(local::values_of_this_thread()[0].variable, "int");
}

}  // namespace
}  // namespace carrel
