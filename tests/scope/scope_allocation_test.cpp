// Opening a scope, binding a few values and closing it asks the heap for nothing; and where the
// heap has nothing left, each thing ends as it is documented.
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"
#include "failing_new.h"

namespace carrel {
namespace {

using namespace failing_new;

template <class F>
std::uint64_t allocations_of(F&& f) {
  const std::uint64_t before = allocations;
  f();
  return allocations - before;
}

TEST(Allocation, ATaskBehindABoundaryMakesNone) {
  const RequestLocal<std::uint64_t> caller{"caller"};
  const RequestLocal<std::uint64_t> tenant{"tenant"};
  const RequestLocal<std::uint64_t> book{"book"};
  Boundary boundary;
  const auto task = [&] {
    boundary.run({.name = "POST /v1/vouchers"}, [&] {
      const auto a = caller.bind(1);
      const auto b = tenant.bind(2);
      const auto c = book.bind(3);
    });
  };
  task();  // the thread's first scope lists the thread for inspect()
  EXPECT_EQ(allocations_of([&] {
              for (int i = 0; i < 100; ++i) task();
            }),
            0U);
}

TEST(Allocation, RebindingForLongMakesNone) {
  const RequestLocal<std::uint64_t> first{"first"};
  const RequestLocal<std::uint64_t> second{"second"};
  Scope scope;
  first.set(1);
  EXPECT_EQ(allocations_of([&] {
              for (std::uint64_t i = 0; i < 1000; ++i) {
                const auto bound = first.bind(i);
                second.set(i);
                second.remove();
              }
            }),
            0U);
}

TEST(Allocation, ASnapshotIsOneBlockAndARunNone) {
  const RequestLocal<std::uint64_t> number{"number"};
  Scope scope;
  number.set(1);
  EXPECT_EQ(allocations_of([&] {
              const Snapshot snapshot = Snapshot::capture();
              const auto run = [&] { return allocations_of([&] { snapshot.run([] {}); }); };
              EXPECT_EQ(run(), 0U);
            }),
            1U);
}

// More variables than a scope has room for in itself, and values that use the heap.
class ManyValues {
 public:
  ManyValues() {
    for (int i = 0; i < 40; ++i) variables_.emplace_back("text");
  }
  // Sets and binds all; how far it came is how many are found afterwards.
  void set_all() const {
    for (const auto& variable : variables_) variable.set(std::string(50, 's'));
    const auto bound = variables_.front().bind(std::string(50, 'b'));
    const Snapshot snapshot = Snapshot::capture();
    snapshot.run([this] { check_prefix(); });
  }
  // What was set is whole, and what was not is not there.
  void check_prefix() const {
    bool ended = false;
    for (const auto& variable : variables_) {
      const std::string* const value = variable.find();
      if (value == nullptr) ended = true;
      if (value != nullptr) {
        EXPECT_FALSE(ended);
        EXPECT_EQ(value->size(), 50U);
      }
    }
  }

 private:
  std::deque<RequestLocal<std::string>> variables_;
};

TEST(Allocation, AnyOneMayFailAndLeavesTheScopeWhole) {
  const ManyValues values;
  const auto scope = [&] { const Scope opened({.name = "warm-up"}); };
  scope();
  std::uint64_t failures = 0;
  for (bool failed = true; failed; ++failures) {
    failed = false;
    Scope opened({.name = "short of memory"});
    failing_allocation = allocations + failures + 1;
    try {
      values.set_all();
    } catch (const std::bad_alloc&) {
      failed = true;
    }
    failing_allocation = 0;
    EXPECT_EQ(Scope::current(), &opened);
    values.check_prefix();
    values.set_all();  // and goes on
  }
  EXPECT_GT(failures, 80U) << "each value, the overflow table and the snapshot allocate";
}

// A variable, and one that has the same home in a scope.
struct Neighbours {
  Neighbours() {
    for (int i = 0; i < 15; ++i) others.emplace_back("other");
    same_home.emplace("same home");
  }
  RequestLocal<int> bound{"bound"};
  std::deque<RequestLocal<int>> others;
  std::optional<RequestLocal<int>> same_home;
};

TEST(Allocation, AGuardRestoresWithoutAnyWhatLostItsPlaceToAnother) {
  const Neighbours of;
  Scope scope;
  of.bound.set(1);
  {
    const auto guard = of.bound.bind(2);
    of.bound.remove();
    of.same_home->set(7);
    failing_from = allocations + 1;
  }
  failing_from = 0;
  EXPECT_EQ(of.bound.get(), 1);
  EXPECT_EQ(of.same_home->get(), 7);
  of.bound.remove();
  of.bound.set(2);
  EXPECT_EQ(of.bound.get(), 2);
  EXPECT_EQ(of.same_home->get(), 7);
}

TEST(Allocation, AGuardRestoresWithoutAnyWhatWasBoundAndRemovedAgainMeanwhile) {
  const Neighbours of;
  Scope scope;
  of.bound.set(1);
  {
    const auto guard = of.bound.bind(2);
    of.bound.remove();
    of.bound.set(3);
    of.bound.remove();
    {
      const auto again = of.bound.bind(4);
      EXPECT_EQ(of.bound.get(), 4);
    }
    EXPECT_EQ(of.bound.find(), nullptr);
    of.same_home->set(7);
    failing_from = allocations + 1;
  }
  failing_from = 0;
  EXPECT_EQ(of.bound.get(), 1);
  EXPECT_EQ(of.same_home->get(), 7);
}

TEST(Allocation, AGuardRestoresWithoutAnyAfterAnotherOneThatDidSo) {
  const Neighbours of;
  Scope scope;
  of.bound.set(1);
  {
    const auto guard = of.bound.bind(2);
    of.bound.remove();
    of.bound.set(3);
    {
      const auto inner = of.bound.bind(4);
      of.bound.remove();
    }
    EXPECT_EQ(of.bound.get(), 3);
    of.bound.remove();
    of.same_home->set(7);
    failing_from = allocations + 1;
  }
  failing_from = 0;
  EXPECT_EQ(of.bound.get(), 1);
  EXPECT_EQ(of.same_home->get(), 7);
}

// The overflow table has to grow for the value that comes back, and cannot.
TEST(Allocation, AGuardRestoresWithoutAnyIntoAFullTable) {
  for (int more = 0; more < 20; ++more) {
    const Neighbours of;
    std::deque<RequestLocal<int>> fill;
    Scope scope;
    of.same_home->set(7);
    of.bound.set(1);
    {
      const auto guard = of.bound.bind(2);
      of.bound.remove();
      for (int i = 0; i < 16 + more; ++i) fill.emplace_back("fill").set(i);
      failing_from = allocations + 1;
    }
    failing_from = 0;
    EXPECT_EQ(of.bound.get(), 1);
    for (int i = 0; i < 16 + more; ++i) EXPECT_EQ(fill[static_cast<std::size_t>(i)].get(), i);
  }
}

// As many come back as fill the table to its last place, and would go beyond it.
TEST(Allocation, GuardsRestoreWithoutAnyHoweverManyComeBackAtATime) {
  for (std::size_t others = 0; others < 70; others += 3) {
    std::deque<RequestLocal<std::size_t>> bound;
    std::deque<RequestLocal<std::size_t>> fill;
    using Bind = RequestLocal<std::size_t>::Bind;
    std::vector<std::unique_ptr<Bind>> guards;
    for (std::size_t i = 0; i < 60; ++i) bound.emplace_back("bound");
    for (std::size_t i = 0; i < others; ++i) fill.emplace_back("fill");
    Scope scope;
    for (std::size_t i = 0; i < 60; ++i) bound[i].set(i);
    for (const auto& variable : bound) guards.emplace_back(new Bind(variable.bind(100)));
    for (const auto& variable : bound) EXPECT_TRUE(variable.remove());
    for (std::size_t i = 0; i < others; ++i) fill[i].set(i);
    for (std::size_t i = 0; i < 60; i += 2) {  // some are set and removed again meanwhile
      bound[i].set(200);
      bound[i].remove();
    }
    {
      const NoMemory none;
      while (!guards.empty()) guards.pop_back();
    }
    for (std::size_t i = 0; i < 60; ++i) ASSERT_EQ(bound[i].get(), i);
    for (std::size_t i = 0; i < others; ++i) ASSERT_EQ(fill[i].get(), i);
    for (const auto& variable : bound) EXPECT_TRUE(variable.remove());
    for (const auto& variable : bound) EXPECT_EQ(variable.find(), nullptr);
  }
}

// Guards within guards, with values removed and set between them, against a model.
TEST(Allocation, NestedGuardsRestoreWithoutAnyWhateverHappensBetween) {
  std::minstd_rand random(20261127);
  for (int round = 0; round < 300; ++round) {
    std::deque<RequestLocal<int>> variables;
    for (int i = 0; i < 24; ++i) variables.emplace_back("variable");
    struct Bound {
      std::size_t of;
      std::optional<int> before;
      std::unique_ptr<RequestLocal<int>::Bind> guard;
    };
    std::vector<Bound> guards;
    std::vector<std::optional<int>> model(variables.size());
    Scope scope;
    for (int step = 0; step < 120; ++step) {
      const std::size_t i = random() % variables.size();
      switch (random() % 4) {
        case 0:
          variables[i].set(step);
          model[i] = step;
          break;
        case 1:
          EXPECT_EQ(variables[i].remove(), model[i].has_value());
          model[i] = std::nullopt;
          break;
        case 2:
          guards.push_back({i, model[i],
                            std::unique_ptr<RequestLocal<int>::Bind>(
                                new RequestLocal<int>::Bind(variables[i].bind(step)))});
          model[i] = step;
          break;
        default:
          if (guards.empty()) break;
          model[guards.back().of] = guards.back().before;
          const NoMemory none;
          guards.pop_back();
      }
      for (std::size_t v = 0; v < variables.size(); ++v) {
        const int* const value = variables[v].find();
        ASSERT_EQ(value == nullptr ? std::nullopt : std::optional(*value), model[v])
            << "round " << round << ", step " << step << ", variable " << v;
      }
    }
    const NoMemory none;
    while (!guards.empty()) guards.pop_back();
  }
}

}  // namespace
}  // namespace carrel
