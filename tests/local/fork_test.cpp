// What a forked child has of its parent's thread-locals.
//
// ThreadSanitizer cannot follow threads that a forked child starts, so no child starts one here.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "carrel/local/internal/inspect.h"
#include "carrel/local/thread_local.h"
#include "local/values_for_tests.h"
#include "local/worker.h"

namespace carrel {
namespace {

using local::Farewell;
using local::Worker;

// Runs `f` in a forked child and returns its exit code: 0 if `f` returned true.
template <class F>
int in_child(F f) {
  const pid_t child = fork();
  if (child == 0) _exit(f() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Fork, TheChildKeepsTheForkingThreadsValues) {
  const ThreadLocal<int> kept;
  const ThreadLocal<int> later;
  kept.set(42);
  EXPECT_EQ(in_child([&] {
              if (kept.get() != 42) return false;
              kept.remove();
              later.set(1);
              return kept.peek() == nullptr && later.get() == 1;
            }),
            0);
}

TEST(Fork, TheChildForgetsOtherThreadsValuesWithoutDestroyingThem) {
  std::atomic<int> destroyed = 0;
  auto variable = std::make_unique<ThreadLocal<Farewell>>();
  Worker worker;
  worker.call([&] { variable->set(Farewell([&] { ++destroyed; })); });
  variable->set(Farewell([&] { ++destroyed; }));
  EXPECT_EQ(in_child([&] {
              const std::size_t values = variable->statistics().values;
              const local::ProcessFigures figures = local::process_figures();
              variable.reset();
              return values == 1 && figures.threads == 1 && figures.abandoned >= 1 &&
                     destroyed == 1;
            }),
            0);
}

TEST(Fork, FromAVisitorEndsTheVisitInTheChild) {
  const ThreadLocal<std::atomic<int>> variable;
  Worker worker;
  variable.get() = 1;
  worker.call([&] { variable.get() = 2; });
  int visits = 0;
  int code = -1;
  variable.for_each_thread([&](std::atomic<int>&) {
    if (++visits != 1) return;
    const pid_t child = fork();
    if (child == 0) {
      // Goes on below, as the child.
      code = 0;
      return;
    }
    int status = 0;
    waitpid(child, &status, 0);
    code = WIFEXITED(status) ? WEXITSTATUS(status) + 100 : -1;
  });
  if (code == 0) _exit(visits == 1 && variable.statistics().values == 1 ? 7 : 8);
  EXPECT_EQ(code, 107);
  EXPECT_EQ(visits, 2);
}

TEST(Fork, WhileOtherThreadsIterateSetAndDie) {
  const ThreadLocal<std::atomic<int>> variable;
  std::atomic<bool> stop = false;
  std::thread visitor([&] {
    while (!stop) variable.for_each_thread([](std::atomic<int>& value) { ++value; });
  });
  std::thread churn([&] {
    while (!stop) {
      local::on_another_thread([&] {
        const ThreadLocal<int> mortal;
        mortal.set(1);
        variable.get() = 1;
        variable.remove();
        variable.get() = 2;
      });
    }
  });
  variable.get() = 1;
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(in_child([&] {
                variable.get() = 5;
                int visits = 0;
                variable.for_each_thread([&](std::atomic<int>&) { ++visits; });
                const ThreadLocal<int> fresh;
                fresh.set(1);
                variable.remove();
                return visits == 1;
              }),
              0);
  }
  stop = true;
  visitor.join();
  churn.join();
}

TEST(Fork, WithinADestructorLetsBothGoOn) {
  int code = -1;
  {
    const ThreadLocal<Farewell> variable;
    variable.set(Farewell([&] { code = in_child([] { return true; }); }));
  }
  EXPECT_EQ(code, 0);
  // And once more with the child running the rest of it.
  pid_t child = -1;
  Worker worker;
  {
    const ThreadLocal<Farewell> variable;
    worker.call([&] { variable.set(Farewell([&] { child = fork(); })); });
    variable.set(Farewell());
  }  // the worker's value is destroyed here, by this thread
  if (child == 0) {
    const ThreadLocal<int> fresh;
    fresh.set(1);
    _exit(fresh.get() == 1 ? 9 : 8);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 9);
}

TEST(Fork, WithinTheDestructorOfADroppedValueLetsBothGoOn) {
  pid_t child = -1;
  bool drops = false;
  std::optional<ThreadLocal<Farewell>> variable;
  variable.emplace(ThreadLocalOptions<Farewell>{.initial = [&] {
    if (!drops) return Farewell();
    variable->set(Farewell());  // stays, and what is returned is dropped
    return Farewell([&] { child = fork(); });
  }});
  variable->get();
  variable->remove();  // its cell stays linked, and is where the dropped value is made
  drops = true;
  variable->get();
  variable.reset();
  if (child == 0) {
    const ThreadLocal<Farewell> one;
    const ThreadLocal<Farewell> two;
    const bool apart = &one.set(Farewell()) != &two.set(Farewell());
    _exit(apart && !variable ? 9 : 8);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 9);
}

}  // namespace
}  // namespace carrel
