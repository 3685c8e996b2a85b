// What a thread's end does to its values.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::Farewell;
using local::on_another_thread;
using local::Reports;

TEST(ThreadEnd, DestroysTheThreadsValues) {
  int destroyed = 0;
  const ThreadLocal<Farewell> variable;
  on_another_thread([&] { variable.set(Farewell([&destroyed] { ++destroyed; })); });
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(variable.statistics().values, 0U);
}

TEST(ThreadEnd, DestroysInReverseOrderOfFirstInitialisation) {
  std::vector<int> order;
  std::vector<std::unique_ptr<ThreadLocal<Farewell>>> variables;
  for (int i = 0; i < 100; ++i) variables.push_back(std::make_unique<ThreadLocal<Farewell>>());
  on_another_thread([&] {
    for (int i = 99; i >= 0; --i) {
      variables[static_cast<std::size_t>(i)]->set(Farewell([&order, i] { order.push_back(i); }));
    }
  });
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadEnd, ReplacingAValueDoesNotChangeItsPlaceInTheOrder) {
  std::vector<char> order;
  const ThreadLocal<Farewell> first;
  const ThreadLocal<Farewell> second;
  on_another_thread([&] {
    first.get();
    second.set(Farewell([&order] { order.push_back('2'); }));
    first.set(Farewell([&order] { order.push_back('1'); }));
  });
  EXPECT_EQ(order, (std::vector<char>{'2', '1'}));
}

TEST(ThreadEnd, AValueMayUseAnOlderOneInItsDestructor) {
  std::string seen;
  const ThreadLocal<std::string> log;
  const ThreadLocal<Farewell> user;
  on_another_thread([&] {
    log.set("log");
    user.set(Farewell([&] { seen = log.get(); }));
  });
  EXPECT_EQ(seen, "log");
}

TEST(ThreadEnd, ADestructorThatReadsItsOwnVariableGetsAFreshValue) {
  int made = 0;
  int destroyed = 0;
  struct Value {
    int* destroyed = nullptr;
    std::function<void()> call;
    ~Value() {
      if (destroyed != nullptr) ++*destroyed;
      if (call) call();
    }
  };
  std::unique_ptr<ThreadLocal<std::unique_ptr<Value>>> variable;
  const Value* fresh = nullptr;
  variable = std::make_unique<ThreadLocal<std::unique_ptr<Value>>>(
      ThreadLocalOptions<std::unique_ptr<Value>>{.initial = [&] {
        ++made;
        auto value = std::make_unique<Value>();
        value->destroyed = &destroyed;
        return value;
      }});
  on_another_thread([&] { variable->get()->call = [&] { fresh = variable->get().get(); }; });
  EXPECT_NE(fresh, nullptr);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(destroyed, 2);
}

TEST(ThreadEnd, ADestructorMaySetAndRemoveItsOwnVariable) {
  int destroyed = 0;
  const ThreadLocal<Farewell> variable;
  on_another_thread([&] {
    variable.set(Farewell([&] {
      EXPECT_FALSE(variable.remove()) << "the value that is being destroyed is no longer there";
      variable.set(Farewell([&] { ++destroyed; }));
      EXPECT_TRUE(variable.remove());
      EXPECT_EQ(destroyed, 1);
      variable.set(Farewell([&] { ++destroyed; }));
    }));
  });
  EXPECT_EQ(destroyed, 2);
}

TEST(ThreadEnd, ADestructorMayMakeVariablesAndGrowTheTable) {
  std::vector<std::unique_ptr<ThreadLocal<int>>> made;
  std::vector<std::unique_ptr<ThreadLocal<int>>> before;
  for (int i = 0; i < 40; ++i) before.push_back(std::make_unique<ThreadLocal<int>>());
  const ThreadLocal<Farewell> variable;
  long sum = 0;
  on_another_thread([&] {
    for (const auto& one : before) one->set(1);
    variable.set(Farewell([&] {
      for (int i = 0; i < 500; ++i) {
        made.push_back(std::make_unique<ThreadLocal<int>>());
        made.back()->set(i);
      }
      for (const auto& one : made) sum += one->get();
      for (const auto& one : before) sum += one->get();
    }));
  });
  EXPECT_EQ(sum, 500 * 499 / 2 + 40);
  for (const auto& one : made) EXPECT_EQ(one->statistics().values, 0U);
  for (const auto& one : before) EXPECT_EQ(one->statistics().values, 0U);
}

// Makes a new value of its own variable whenever one is destroyed.
struct Phoenix {
  const ThreadLocal<Phoenix>* variable = nullptr;
  int* deaths = nullptr;
  Phoenix() = default;
  Phoenix(const ThreadLocal<Phoenix>* rise_in, int* count) : variable(rise_in), deaths(count) {}
  Phoenix(Phoenix&& other) noexcept
      : variable(std::exchange(other.variable, nullptr)), deaths(other.deaths) {}
  ~Phoenix() {
    if (variable == nullptr) return;
    ++*deaths;
    variable->set(Phoenix(variable, deaths));
  }
};

TEST(ThreadEnd, AValueThatRisesForEverIsAbandonedAndReported) {
  const Reports reports;
  int deaths = 0;
  const std::size_t abandoned = local::process_figures().abandoned;
  const ThreadLocal<Phoenix> variable{{.name = "phoenix"}};
  on_another_thread([&] { variable.set(Phoenix(&variable, &deaths)); });
  EXPECT_EQ(deaths, 8);
  EXPECT_EQ(local::process_figures().abandoned, abandoned + 1);
  EXPECT_EQ(variable.statistics().values, 0U);
  ASSERT_EQ(Reports::all().size(), 1U);
  EXPECT_NE(Reports::all()[0].find("phoenix"), std::string::npos);
}

TEST(ThreadEnd, AValueThatRisesForEverIsAbandonedWhenItsVariableDies) {
  const Reports reports;
  int deaths = 0;
  {
    const ThreadLocal<Phoenix> variable{{.name = "phoenix"}};
    variable.set(Phoenix(&variable, &deaths));
  }
  EXPECT_EQ(deaths, 8);
  EXPECT_EQ(Reports::all().size(), 1U);
}

TEST(ThreadEnd, DestructorsKnowWhyTheyRun) {
  std::vector<Ending> endings;
  const auto note = [&endings] { return Farewell([&] { endings.push_back(current_ending()); }); };
  const ThreadLocal<Farewell> variable;
  on_another_thread([&] { variable.set(note()); });
  variable.set(note());
  variable.remove();
  {
    const ThreadLocal<Farewell> mortal;
    mortal.set(note());
  }
  EXPECT_EQ(endings,
            (std::vector<Ending>{Ending::thread_exit, Ending::removed, Ending::variable_death}));
  EXPECT_EQ(current_ending(), Ending::none);
}

TEST(ThreadEnd, NativeThreadLocalsMadeEarlierMayStillUseThreadLocals) {
  static const ThreadLocal<Farewell>* variable = nullptr;
  static int destroyed = 0;
  struct Native {
    bool used = false;
    ~Native() {
      if (!used) return;
      EXPECT_EQ(variable->peek(), nullptr) << "the thread's values have ended by now";
      variable->set(Farewell([] { ++destroyed; }));
    }
  };
  const ThreadLocal<Farewell> made;
  variable = &made;
  on_another_thread([&] {
    thread_local Native native;
    native.used = true;  // constructed before the thread's first value
    variable->set(Farewell([] { ++destroyed; }));
  });
  EXPECT_EQ(destroyed, 2);
  EXPECT_EQ(made.statistics().values, 0U);
}

TEST(ThreadEnd, NoThreadIsKnownAfterItsEnd) {
  const ThreadLocal<int> variable;
  variable.set(1);
  const std::size_t before = local::process_figures().threads;
  on_another_thread([&] {
    variable.set(2);
    EXPECT_EQ(local::process_figures().threads, before + 1);
  });
  EXPECT_EQ(local::process_figures().threads, before);
}

TEST(ThreadEnd, TwoThreadsMayDestroyEachOthersVariables) {
  for (int round = 0; round < 20; ++round) {
    local::Event first_began;
    local::Event second_began;
    auto x = std::make_unique<ThreadLocal<Farewell>>();
    auto y = std::make_unique<ThreadLocal<Farewell>>();
    std::thread one([&] {
      x->set(Farewell([&] {
        first_began.set();
        second_began.wait();
        y.reset();  // which would wait for the other thread's destructor ...
      }));
    });
    std::thread two([&] {
      y->set(Farewell([&] {
        second_began.set();
        first_began.wait();
        x.reset();  // ... which would wait for this one's
      }));
    });
    one.join();
    two.join();
    EXPECT_EQ(x, nullptr);
    EXPECT_EQ(y, nullptr);
  }
}

}  // namespace
}  // namespace carrel
