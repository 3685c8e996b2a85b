// Opening a scope, binding a few values and closing it asks the heap for nothing.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <string>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

namespace {

thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t failing_allocation = 0;  // the one with this number; 0: none
thread_local std::uint64_t failing_from = 0;        // and all from this one on; 0: none

void* counted(std::size_t bytes) {
  if (++allocations == failing_allocation) throw std::bad_alloc();
  if (failing_from != 0 && allocations >= failing_from) throw std::bad_alloc();
  if (void* const block = std::malloc(bytes == 0 ? 1 : bytes)) return block;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes);
}
// The library's own form calls the one above, but a sanitizer's does not.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return counted(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

namespace carrel {
namespace {

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

TEST(Allocation, AnAuditWithoutMemoryClearsAndCountsAllTheSame) {
  constexpr int kTasks = 40;
  const ThreadLocal<int> first{{.name = "a name that no small string holds, of the first one"}};
  const ThreadLocal<int> second{{.name = "a name that no small string holds, of the second one"}};
  std::size_t reported = 0;
  Boundary boundary({.on_leftover = [&](std::span<const Leftover> found) {
    const std::string line = found[0].variable + found[0].type;
    reported += found.size();
  }});
  const auto leave_two = [&](std::uint64_t succeeding) {
    boundary.run({.name = "a task"}, [&] {
      first.set(1);
      second.set(2);
      failing_from = succeeding == 0 ? 0 : allocations + succeeding;
    });
    failing_from = 0;
    EXPECT_EQ(first.peek(), nullptr);
    EXPECT_EQ(second.peek(), nullptr);
  };
  for (std::uint64_t n = 0; n < kTasks; ++n) leave_two(n);
  EXPECT_EQ(boundary.leftovers(), 2U * kTasks);
  EXPECT_LT(reported, 2U * kTasks) << "no allocation failed";
  EXPECT_GT(boundary.printer_failures(), 0U);
  EXPECT_LT(boundary.printer_failures() + reported / 2, std::uint64_t{kTasks});
}

TEST(Allocation, AnAuditThatOnlyReportsCountsWithoutMemory) {
  const ThreadLocal<int> variable{{.name = "a name that is too long for the small string buffer"}};
  Boundary boundary({.audit = AuditPolicy::report});
  boundary.run({.name = "a task"}, [&] {
    variable.set(1);
    failing_from = allocations + 1;
  });
  failing_from = 0;
  EXPECT_EQ(variable.peek() == nullptr ? 0 : *variable.peek(), 1);
  EXPECT_EQ(boundary.leftovers(), 1U);
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

}  // namespace
}  // namespace carrel
