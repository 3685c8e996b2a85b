// Where not even the C library finds memory, a thread's first scope and its first task behind a
// boundary go without what they would keep for other threads' eyes. The calloc below stands in the
// place of the C library's own, which it calls for itself too.
#include <gtest/gtest.h>
#include <pthread.h>

#include <cstddef>
#include <thread>

#include "carrel/local/thread_local.h"
#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/scope.h"
#include "failing_new.h"

extern "C" void* __libc_calloc(std::size_t count, std::size_t bytes);
extern "C" void* calloc(std::size_t count, std::size_t bytes) {
  using namespace carrel::failing_new;
  const bool fails = failing_from != 0 && ++allocations >= failing_from;
  return fails ? nullptr : __libc_calloc(count, bytes);
}

namespace carrel {
namespace {

using failing_new::NoMemory;

bool is_listed(std::string_view scope) {
  for (const InspectedThread& thread : inspect().threads)
    if (thread.scope == scope) return true;
  return false;
}

// Keys beyond the first few cost memory at a thread's first use.
void use_up_the_keys_that_cost_nothing() {
  for (int i = 0; i < 40; ++i) {
    pthread_key_t key{};
    ASSERT_EQ(pthread_key_create(&key, nullptr), 0);
  }
}

TEST(NoMemoryAtAll, AThreadsFirstScopeGoesWithoutItsLineInInspect) {
  use_up_the_keys_that_cost_nothing();
  const ThreadLocal<int> variable;
  for (std::uint64_t succeeding = 0; succeeding < 4; ++succeeding) {
    std::thread([&] {
      variable.set(1);  // the thread is known to the layer below
      {
        const NoMemory none(succeeding);
        const Scope outer({.name = "outer"});
        const Scope scope({.name = "without"});
        EXPECT_EQ(Scope::current(), &scope);
        EXPECT_EQ(Scope::current()->name(), "without");
      }
      const Scope scope({.name = "with"});
      EXPECT_TRUE(is_listed("with")) << "as soon as there is memory";
    }).join();
    EXPECT_FALSE(is_listed("with"));
  }
}

TEST(NoMemoryAtAll, AThreadsFirstTaskBehindABoundaryIsCountedAllTheSame) {
  use_up_the_keys_that_cost_nothing();
  const ThreadLocal<int> variable;
  Boundary boundary;
  for (std::uint64_t succeeding = 0; succeeding < 3; ++succeeding)
    std::thread([&] {
      variable.set(1);
      const NoMemory none(succeeding);
      boundary.run({.name = "first"}, [] {});
      boundary.run({.name = "second"}, [] {});
    }).join();
  EXPECT_EQ(boundary.tasks(), 6U);
}

}  // namespace
}  // namespace carrel
