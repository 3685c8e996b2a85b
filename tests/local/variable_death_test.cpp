// What a variable's death does to the values that threads hold of it.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "local/slot.h"
#include "local/values_for_tests.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::Event;
using local::Farewell;
using local::on_another_thread;
using local::Reports;
using local::Worker;

std::vector<std::unique_ptr<Worker>> make_workers(int count) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>());
  return workers;
}

TEST(VariableDeath, DestroysTheValuesOfIdleThreadsBeforeItReturns) {
  std::atomic<int> destroyed = 0;
  std::atomic<int> by_death = 0;
  const auto workers = make_workers(64);
  {
    const ThreadLocal<Farewell> variable;
    for (const auto& worker : workers) {
      worker->call([&] {
        variable.set(Farewell([&] {
          ++destroyed;
          if (current_ending() == Ending::variable_death) ++by_death;
        }));
      });
    }
    EXPECT_EQ(variable.statistics().values, 64U);
  }
  EXPECT_EQ(destroyed, 64);
  EXPECT_EQ(by_death, 64);
}

TEST(VariableDeath, LeavesNoStaleEntryOnTheThreadThatDestroys) {
  std::vector<std::unique_ptr<ThreadLocal<int>>> variables;
  for (int i = 0; i < 100; ++i) {
    variables.push_back(std::make_unique<ThreadLocal<int>>());
    variables.back()->set(i);
  }
  variables.clear();
  EXPECT_EQ(local::thread_block.map.count(), 0U);
  EXPECT_EQ(local::thread_block.map.stale(), 0U);
}

TEST(VariableDeath, LeavesAtMostADeadKeyOnOtherThreadsUntilTheirNextInsertion) {
  const ThreadLocal<int> survivor;
  Worker worker;
  auto variable = std::make_unique<ThreadLocal<int>>();
  worker.call([&] { variable->set(1); });
  variable.reset();
  worker.call([&] {
    EXPECT_EQ(local::thread_block.map.stale(), 1U);
    survivor.set(1);
    EXPECT_EQ(local::thread_block.map.stale(), 0U);
    EXPECT_EQ(local::thread_block.map.count(), 1U);
  });
}

TEST(VariableDeath, AMissClearsStaleEntriesToo) {
  const ThreadLocal<int> never_set;
  Worker worker;
  auto variable = std::make_unique<ThreadLocal<int>>();
  worker.call([&] { variable->set(1); });
  variable.reset();
  worker.call([&] {
    EXPECT_EQ(never_set.peek(), nullptr);
    EXPECT_EQ(local::thread_block.map.count(), 0U);
  });
}

TEST(VariableDeath, RemovingWhatIsNotThereClearsStaleEntriesToo) {
  const ThreadLocal<int> never_set;
  Worker worker;
  auto variable = std::make_unique<ThreadLocal<int>>();
  worker.call([&] { variable->set(1); });
  variable.reset();
  worker.call([&] {
    EXPECT_FALSE(never_set.remove());
    EXPECT_EQ(local::thread_block.map.count(), 0U);
  });
}

// A thread with a large table pays for a few dead variables bit by bit, not by a sweep of it all.
TEST(VariableDeath, FewStaleEntriesOfALargeTableAreClearedInSteps) {
  constexpr int kLiving = 1000;
  constexpr int kDead = 100;  // fewer than an eighth of the 2,048 places
  const std::vector<ThreadLocal<int>> living(kLiving);
  auto dead = std::make_unique<std::vector<ThreadLocal<int>>>(kDead);
  const ThreadLocal<int> never_set;
  Worker worker;
  worker.call([&] {
    for (const ThreadLocal<int>& variable : living) variable.set(1);
    for (const ThreadLocal<int>& variable : *dead) variable.set(1);
  });
  dead.reset();
  worker.call([&] {
    const local::ThreadLocalMap& map = local::thread_block.map;
    const std::uint32_t places = map.capacity() - local::Key::kFirstLevel;
    ASSERT_EQ(places, 2048U);
    EXPECT_EQ(never_set.peek(), nullptr);
    EXPECT_GT(map.stale(), 0U) << "one miss has swept the whole table";
    // Four places for each doubling of the table, so that is how often it takes at most.
    const std::uint32_t steps = 4 * 12;
    for (std::uint32_t i = 0; i <= places / steps; ++i) EXPECT_EQ(never_set.peek(), nullptr);
    EXPECT_EQ(map.stale(), 0U);
    EXPECT_EQ(map.count(), std::uint32_t{kLiving});
  });
}

TEST(VariableDeath, ANewVariableAtTheSameAddressHasNoValue) {
  alignas(ThreadLocal<int>) std::byte memory[sizeof(ThreadLocal<int>)];
  Worker worker;
  for (int i = 0; i < 10; ++i) {
    auto* const variable = new (memory) ThreadLocal<int>({.initial = [] { return -1; }});
    EXPECT_EQ(variable->peek(), nullptr);
    variable->set(i);
    worker.call([&] {
      EXPECT_EQ(variable->get(), -1);
      variable->set(i);
    });
    variable->~ThreadLocal();
  }
}

TEST(VariableDeath, AVariableThatReusesASlotSeesNoOldValue) {
  Worker worker;
  const std::size_t slots = [] {
    const ThreadLocal<int> any;
    return local::process_figures().slots;
  }();
  for (int i = 0; i < 1000; ++i) {
    const ThreadLocal<int> variable;
    EXPECT_EQ(variable.peek(), nullptr);
    worker.call([&] {
      EXPECT_EQ(variable.peek(), nullptr);
      variable.set(1);
    });
  }
  EXPECT_EQ(local::process_figures().slots, slots) << "the slots were not used again";
}

TEST(VariableDeath, ValuesDieOnceWhenThreadsEndAtTheSameTime) {
  constexpr int kThreads = 64;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> destroyed = 0;
    const auto workers = make_workers(kThreads);
    auto variable = std::make_unique<ThreadLocal<Farewell>>();
    for (const auto& worker : workers) {
      worker->call([&] { variable->set(Farewell([&] { ++destroyed; })); });
    }
    for (const auto& worker : workers) worker->let_end();
    variable.reset();
    EXPECT_EQ(destroyed, kThreads);
  }
}

TEST(VariableDeath, WaitsForADestructorThatAnExitingThreadRuns) {
  Event began;
  Event go_on;
  std::atomic<bool> finished = false;
  auto variable = std::make_unique<ThreadLocal<Farewell>>();
  std::thread exiting([&] {
    variable->set(Farewell([&] {
      began.set();
      go_on.wait();
      finished = true;
    }));
  });
  began.wait();
  std::thread helper([&] { go_on.set(); });
  variable.reset();
  EXPECT_TRUE(finished);
  helper.join();
  exiting.join();
}

// The slot of the variable of that name.
local::Slot& slot_named(std::string_view name) {
  std::uint32_t number = 0;
  for (;; ++number) {
    local::Slot& slot = local::slot_at(number);
    const std::lock_guard lock(slot.lock);
    if (slot.info != nullptr && slot.info->name == name) return slot;
  }
}

TEST(VariableDeath, AThreadsEndWaitsForItsValueThatTheDyingVariableDestroys) {
  Event began;
  Event go_on;
  std::atomic<bool> finished = false;
  std::atomic<bool> values_have_ended = false;
  Worker worker;
  auto variable = std::make_unique<ThreadLocal<Farewell>>(
      ThreadLocalOptions<Farewell>{.name = "dies before its holder"});
  local::Slot& slot = slot_named("dies before its holder");
  worker.call([&] {
    // Made before the thread's first value, and so destroyed after its last.
    thread_local Farewell last;
    last = Farewell([&] { values_have_ended = true; });
    variable->set(Farewell([&] {
      began.set();
      go_on.wait();
      finished = true;
    }));
  });
  std::thread destroyer([&] { variable.reset(); });
  began.wait();
  worker.let_end();
  const auto somebody_waits = [&slot] {
    const std::lock_guard lock(slot.lock);
    return slot.waiters != 0;
  };
  while (!values_have_ended && !somebody_waits()) std::this_thread::yield();
  EXPECT_FALSE(values_have_ended) << "the value has outlived its thread";
  go_on.set();
  worker.end();
  EXPECT_TRUE(finished);
  EXPECT_TRUE(values_have_ended);
  destroyer.join();
}

// A value that owns the variable that it is a value of.
struct SelfOwner {
  std::unique_ptr<ThreadLocal<SelfOwner>> variable;
};

void make_self_owner() {
  auto owned = std::make_unique<ThreadLocal<SelfOwner>>();
  SelfOwner& value = owned->get();
  value.variable = std::move(owned);
}

TEST(VariableDeath, ADestructorThatWaitsForTheDestroyingThreadIsReported) {
  const Reports reports;
  local::Event running;
  auto variable =
      std::make_unique<ThreadLocal<Farewell>>(ThreadLocalOptions<Farewell>{.name = "kept waiting"});
  local::Worker holder;
  holder.call([&] {
    variable->set(Farewell([&] {
      running.set();
      Reports::wait_for_one();  // which only the waiting of the other side brings about
    }));
  });
  holder.let_end();
  running.wait();
  variable.reset();
  ASSERT_EQ(Reports::all().size(), 1U);
  EXPECT_NE(Reports::all()[0].find("kept waiting"), std::string::npos);
}

TEST(VariableDeath, AValueMayOwnItsOwnVariableUntilItsThreadEnds) {
  const std::size_t before = local::process_figures().variables;
  on_another_thread([] { make_self_owner(); });
  EXPECT_EQ(local::process_figures().variables, before);
}

TEST(VariableDeath, AValueThatOwnsItsOwnVariableMayBeRemoved) {
  const std::size_t before = local::process_figures().variables;
  auto owned = std::make_unique<ThreadLocal<SelfOwner>>();
  const ThreadLocal<SelfOwner>& variable = *owned;
  variable.get().variable = std::move(owned);
  EXPECT_TRUE(variable.remove());
  EXPECT_EQ(local::process_figures().variables, before);
}

TEST(VariableDeath, ADestructorMayPutANewValueIntoItsDyingVariable) {
  int destroyed = 0;
  auto variable = std::make_unique<ThreadLocal<Farewell>>();
  const ThreadLocal<Farewell>& alias = *variable;
  alias.set(Farewell([&] { alias.set(Farewell([&] { ++destroyed; })); }));
  variable.reset();
  EXPECT_EQ(destroyed, 1);
}

TEST(VariableDeath, OwnerReclaimLeavesValuesToTheirThreads) {
  std::atomic<std::thread::id> destroyed_on{};
  const ThreadLocal<int> other;
  Worker worker;
  std::thread::id worker_id;
  {
    const ThreadLocal<Farewell> variable{{.reclaim = Reclaim::owner}};
    worker.call([&] {
      worker_id = std::this_thread::get_id();
      variable.set(Farewell([&] { destroyed_on = std::this_thread::get_id(); }));
    });
  }
  EXPECT_EQ(destroyed_on.load(), std::thread::id{});
  worker.call([&] { other.set(1); });
  EXPECT_EQ(destroyed_on.load(), worker_id);
}

TEST(VariableDeath, OwnerReclaimDestroysAtAMissToo) {
  const ThreadLocal<int> none;
  const std::vector<std::function<void()>> misses = {
      [&] { EXPECT_EQ(none.peek(), nullptr); },
      [&] { EXPECT_FALSE(none.take()); },
      [&] { EXPECT_FALSE(none.remove()); },
  };
  for (const std::function<void()>& miss : misses) {
    int destroyed = 0;
    Worker worker;
    {
      const ThreadLocal<Farewell> variable{{.reclaim = Reclaim::owner}};
      worker.call([&] { variable.set(Farewell([&] { ++destroyed; })); });
    }
    EXPECT_EQ(destroyed, 0);
    worker.call(miss);
    EXPECT_EQ(destroyed, 1);
  }
}

TEST(VariableDeath, OwnerReclaimEndsWithTheThreadAtTheLatest) {
  std::atomic<int> destroyed = 0;
  Worker worker;
  {
    const ThreadLocal<Farewell> variable{{.reclaim = Reclaim::owner}};
    worker.call([&] { variable.set(Farewell([&] { ++destroyed; })); });
  }
  EXPECT_EQ(destroyed, 0);
  worker.end();
  EXPECT_EQ(destroyed, 1);
}

TEST(VariableDeath, OwnerReclaimDestroysTheOwnValueAtOnce) {
  int destroyed = 0;
  {
    const ThreadLocal<Farewell> variable{{.reclaim = Reclaim::owner}};
    variable.set(Farewell([&] { ++destroyed; }));
  }
  EXPECT_EQ(destroyed, 1);
}

TEST(VariableDeathDeathTest, UseAfterItStopsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  alignas(ThreadLocal<int>) std::byte memory[sizeof(ThreadLocal<int>)];
  auto* const variable = new (memory) ThreadLocal<int>;
  variable->set(1);
  variable->~ThreadLocal();
  EXPECT_DEATH(variable->get(), "used after its destruction");
}

}  // namespace
}  // namespace carrel
