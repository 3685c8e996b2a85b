// Oneapi TBB: work that an arena or a parallel algorithm runs has the context of whoever gave it.
#include <gtest/gtest.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "carrel/scope/request_local.h"
#include "carrel/scope/snapshot.h"

// The distribution's TBB is not built for ThreadSanitizer, which does not see its fences.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:libtbb.so\nrace:libtbb.so\n";
}

namespace carrel {
namespace {

TEST(Tbb, AnArenasTaskHasTheContextOfWhoeverEnqueuedIt) {
  const RequestLocal<std::string> tenant{"tenant"};
  tbb::task_arena arena(3, 0);
  std::latch done(1);
  std::string seen;
  {
    Scope scope({.name = "request"});
    tenant.set("acme");
    enqueue_in_scope(arena, [&] {
      seen = tenant.get();
      done.count_down();
    });
  }
  done.wait();
  EXPECT_EQ(seen, "acme");
}

TEST(Tbb, AWrappedBodyOfAParallelAlgorithmHasIt) {
  const RequestLocal<int> number{"number"};
  Scope scope({.name = "request"});
  number.set(5);
  std::atomic<int> sum{0};
  tbb::parallel_for(0, 1000, Snapshot::capture().wrap([&](int) {
    sum += number.get();
    number.set(-1);  // its own copy
  }));
  EXPECT_EQ(sum.load(), 5000);
  EXPECT_EQ(number.get(), 5);
  EXPECT_EQ(Scope::current(), &scope);
}

}  // namespace
}  // namespace carrel
