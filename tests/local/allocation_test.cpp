// Every allocation may fail, and operator new may itself use a thread-local.
//
// The linker gives this program its own malloc (--wrap), through which the library's calls go too.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "carrel/local/internal/audit.h"
#include "carrel/local/internal/inspect.h"
#include "carrel/local/static_thread_local.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"

namespace {

// Counts down to the allocation that fails; 0: none does.
std::atomic<int> fails_at{0};

bool fails_now() {
  return fails_at != 0 && fails_at.fetch_sub(1) == 1;
}

// What the n-th operator new from now on does beside; 0: none does anything.
[[maybe_unused]] std::function<void()> interruption;
[[maybe_unused]] int interrupts_at = 0;

[[maybe_unused]] constinit carrel::StaticThreadLocal<long> allocations{"allocations"};
[[maybe_unused]] std::atomic<bool> counting{false};

}  // namespace

extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t count, std::size_t bytes);
void* __real_aligned_alloc(std::size_t align, std::size_t bytes);
void* __wrap_malloc(std::size_t bytes) {
  return fails_now() ? nullptr : __real_malloc(bytes);
}
void* __wrap_calloc(std::size_t count, std::size_t bytes) {
  return fails_now() ? nullptr : __real_calloc(count, bytes);
}
void* __wrap_aligned_alloc(std::size_t align, std::size_t bytes) {
  return fails_now() ? nullptr : __real_aligned_alloc(align, bytes);
}
}

// The sanitizers bring an operator new of their own, which cannot be replaced as well.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CARREL_TEST_OTHER_OPERATOR_NEW
#endif
#endif

#ifndef CARREL_TEST_OTHER_OPERATOR_NEW
void* operator new(std::size_t bytes) {
  if (counting) ++allocations.get();
  if (interrupts_at != 0 && --interrupts_at == 0) interruption();
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  if (counting && memory != nullptr) --allocations.get();
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}
#endif

namespace carrel {
namespace {

// Fails the first, second ... allocation of `act` until it succeeds. After each failure `check`
// must hold. Returns how many failed.
int fail_every_allocation(const std::function<void()>& act, const std::function<void()>& check) {
  for (int n = 1;; ++n) {
    fails_at = n;
    try {
      act();
      const bool all_succeeded = fails_at > 0;
      fails_at = 0;
      if (all_succeeded) return n - 1;
      // A failure that only cost an optimisation.
    } catch (const std::bad_alloc&) {
      fails_at = 0;
    }
    check();
  }
}

// Too large for the cells that ended threads leave to others.
struct Large {
  int number = 0;
  char rest[200] = {};
};

TEST(Allocation, AFailedFirstValueLeavesTheThreadAsItWas) {
  const ThreadLocal<Large> variable;
  int failures = 0;
  std::thread([&] {
    failures = fail_every_allocation([&] { variable.set(Large{1}); },
                                     [&] { EXPECT_EQ(variable.peek(), nullptr); });
    EXPECT_EQ(variable.get().number, 1);
  }).join();
  EXPECT_EQ(failures, 1) << "the cell; the map itself needs no memory yet";
}

TEST(Allocation, AFailedGrowthLeavesEveryValueWhereItWas) {
  std::vector<std::unique_ptr<ThreadLocal<int>>> variables;
  for (int i = 0; i < 300; ++i) variables.push_back(std::make_unique<ThreadLocal<int>>());
  std::thread([&] {
    int failures = 0;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const auto check = [&] {
        EXPECT_EQ(local::thread_block.map.count(), i);
        for (std::size_t n = 0; n < i; ++n) EXPECT_EQ(*variables[n]->peek(), static_cast<int>(n));
      };
      failures += fail_every_allocation([&] { variables[i]->set(static_cast<int>(i)); },
                                        [&] {
                                          if (variables[i]->peek() != nullptr)
                                            variables[i]->remove();
                                          check();
                                        });
    }
    EXPECT_GE(failures, 200) << "cells, but for those that ended threads have left; table; log";
  }).join();
  for (const auto& variable : variables) EXPECT_EQ(variable->statistics().values, 0U);
}

TEST(Allocation, AFailedVariableLeavesTheRegistryAsItWas) {
  const std::size_t before = local::process_figures().variables;
  std::vector<std::unique_ptr<ThreadLocal<int>>> variables;
  variables.reserve(3000);
  for (int i = 0; i < 3000; ++i) {
    std::unique_ptr<ThreadLocal<int>> made;
    fail_every_allocation([&] { made = std::make_unique<ThreadLocal<int>>(); },
                          [&] {
                            if (made != nullptr) made.reset();
                          });
    variables.push_back(std::move(made));
  }
  EXPECT_EQ(local::process_figures().variables, before + 3000);
}

TEST(Allocation, AFailureInAnInitialiserLeavesNoValue) {
  const ThreadLocal<std::unique_ptr<int>> variable{
      {.initial = [] { return std::make_unique<int>(1); }}};
  std::thread([&] {
    fail_every_allocation([&] { variable.get(); },
                          [&] {
                            if (variable.peek() != nullptr) variable.remove();
                          });
    EXPECT_EQ(*variable.get(), 1);
  }).join();
}

TEST(Allocation, AValueThatFindsNoRoomMayDestroyItsVariable) {
  std::thread([] {
    // As many as the log of a thread's values has room for without any allocation.
    std::array<ThreadLocal<int>, 8> others;
    std::optional<ThreadLocal<local::Farewell>> variable;
    bool fails = false;
    variable.emplace(ThreadLocalOptions<local::Farewell>{.initial = [&] {
      others.back().set(1);
      fails_at = fails ? 1 : 0;
      return local::Farewell(fails ? std::function<void()>([&] { variable.reset(); }) : nullptr);
    }});
    variable->get();
    variable->remove();  // its cell stays linked, and is where the next value is made
    others.back().remove();
    for (std::size_t i = 0; i + 1 < others.size(); ++i) others[i].set(1);
    fails = true;
    EXPECT_THROW(variable->get(), std::bad_alloc);
    fails_at = 0;
    EXPECT_FALSE(variable);
    EXPECT_EQ(local::thread_block.map.count(), others.size());
  }).join();
}

TEST(Allocation, AStaticVariableWhoseRegistrationFailedIsUsableLater) {
  static constinit StaticThreadLocal<Large> late{"late"};
  // Takes every slot there is, so that the next registration needs memory for more of them.
  std::vector<std::optional<ThreadLocal<int>>> others(std::size_t{1} << 14);
  bool full = false;
  for (std::size_t i = 0; i < others.size() && !full; ++i) {
    fails_at = 1;
    try {
      others[i].emplace();
    } catch (const std::bad_alloc&) {
      full = true;
    }
    fails_at = 0;
  }
  ASSERT_TRUE(full);
  std::thread([&] {
    const int failures = fail_every_allocation([&] { late.get().number = 5; },
                                               [&] { EXPECT_EQ(late.peek(), nullptr); });
    EXPECT_GE(failures, 2) << "the slots, and the value's cell";
    EXPECT_EQ(late.get().number, 5);
  }).join();
}

TEST(Allocation, CellsOfAnEndedThreadServeTheNextOneWithoutAny) {
  const ThreadLocal<int> variable;
  std::thread([&] { variable.set(1); }).join();
  std::thread([&] { EXPECT_EQ(fail_every_allocation([&] { variable.set(2); }, [] {}), 0); }).join();
}

#ifndef CARREL_TEST_OTHER_OPERATOR_NEW
TEST(Allocation, AFailureInSetBindOrTakeLeavesWhatWasThere) {
  const std::string old_text(100, 'o');
  const std::string new_text(2000, 'n');
  const ThreadLocal<std::string> variable;
  std::thread([&] {
    variable.set(old_text);
    const auto is_as_it_was = [&] { EXPECT_EQ(*variable.peek(), old_text); };
    EXPECT_GE(
        fail_every_allocation([&] { const auto bound = variable.bind(new_text); }, is_as_it_was),
        1);
    is_as_it_was();
    EXPECT_GE(fail_every_allocation([&] { variable.set(new_text); }, is_as_it_was), 1);
    std::optional<std::string> taken;
    fail_every_allocation([&] { taken = variable.take(); }, [] {});
    EXPECT_EQ(taken, new_text);
    EXPECT_EQ(variable.peek(), nullptr);
  }).join();
}

TEST(Allocation, AFailureInInspectionOrAuditChangesNothing) {
  const ThreadLocal<int> variable{{.name = "a name that is too long for the small string buffer"}};
  const local::AuditMark mark = local::mark_audit();
  variable.set(1);
  std::vector<local::ValueRecord> left;
  EXPECT_GE(fail_every_allocation([&] { left = local::values_since(mark); }, [] {}), 2);
  EXPECT_EQ(left.size(), 1U);
  std::vector<local::ThreadReport> threads;
  EXPECT_GE(fail_every_allocation([&] { threads = local::inspect_threads(); }, [] {}), 3);
  EXPECT_EQ(variable.get(), 1);
}

// Between any two steps of the inspection another variable takes the slot of one that it lists.
TEST(Allocation, InspectionNeverTakesAVariableForTheOneThatHadItsSlotBefore) {
  const std::size_t slots = local::process_figures().slots;
  int interrupted = 0;
  for (int n = 1;; ++n) {
    std::optional<ThreadLocal<int>> number(std::in_place,
                                           ThreadLocalOptions<int>{.name = "number"});
    std::optional<ThreadLocal<Large>> large;
    number->set(1);
    interruption = [&] {
      number.reset();
      large.emplace(ThreadLocalOptions<Large>{.name = "large, with a name that needs memory"});
      large->get();
    };
    interrupts_at = n;
    const std::vector<local::ThreadReport> threads = local::inspect_threads();
    interrupts_at = 0;
    if (!large) break;
    ++interrupted;
    for (const local::ThreadReport& thread : threads) {
      for (const local::ValueRecord& value : thread.values) {
        EXPECT_EQ(value.bytes, value.variable == "number" ? sizeof(int) : sizeof(Large))
            << value.variable << ", interrupted at " << n;
      }
    }
  }
  interruption = nullptr;
  EXPECT_GE(interrupted, 3);
  EXPECT_LE(local::process_figures().slots, slots + 1) << "they did not share a slot";
}

TEST(Allocation, OperatorNewMayUseAThreadLocal) {
  std::thread([] {
    counting = true;
    const auto value = std::make_unique<std::vector<int>>(100);
    std::vector<std::unique_ptr<ThreadLocal<std::vector<int>>>> variables;
    for (int i = 0; i < 100; ++i) {
      variables.push_back(std::make_unique<ThreadLocal<std::vector<int>>>());
      variables.back()->get().resize(10);
    }
    EXPECT_GE(allocations.get(), 200);
    counting = false;
  }).join();
}
#endif

}  // namespace
}  // namespace carrel
