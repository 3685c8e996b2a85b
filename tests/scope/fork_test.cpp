// What a forked child sees of the scopes that threads were in.
//
// ThreadSanitizer cannot follow threads that a forked child starts, so no child starts one here.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "carrel/scope/boundary.h"
#include "carrel/scope/inspect.h"
#include "carrel/scope/scope.h"

namespace carrel {
namespace {

// Runs `f` in a forked child and returns its exit code: 0 if `f` returned true.
template <class F>
int in_child(F f) {
  const pid_t child = fork();
  if (child == 0) _exit(f() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<std::string> scopes_shown() {
  std::vector<std::string> names;
  for (const InspectedThread& thread : inspect().threads)
    if (!thread.scope.empty()) names.push_back(thread.scope);
  return names;
}

TEST(ScopeFork, TheChildIsInTheForkingThreadsScopeAndSeesNoOther) {
  using Names = std::vector<std::string>;
  std::latch ready(2);
  std::latch done(1);
  const auto wait_in_scope = [&] {
    const Scope scope({.name = "elsewhere"});
    ready.count_down();
    done.wait();
  };
  std::jthread older(wait_in_scope);
  const Scope scope({.name = "here"});
  std::jthread newer(wait_in_scope);
  ready.wait();
  EXPECT_EQ(in_child([&] {
              if (Scope::current() != &scope || scopes_shown() != Names{"here"}) return false;
              {
                const Scope inner({.name = "inner"});
                if (scopes_shown() != Names{"inner"}) return false;
              }
              return scopes_shown() == Names{"here"};
            }),
            0);
  EXPECT_EQ(scopes_shown().size(), 3U) << "in the parent nothing has changed";
  done.count_down();
}

TEST(ScopeFork, TheChildOfAThreadWithoutAScopeSeesNone) {
  std::latch ready(1);
  std::latch done(1);
  std::jthread other([&] {
    const Scope scope({.name = "elsewhere"});
    ready.count_down();
    done.wait();
  });
  ready.wait();
  EXPECT_EQ(in_child([] {
              if (!scopes_shown().empty()) return false;
              const Scope first({.name = "first"});
              return scopes_shown() == std::vector<std::string>{"first"};
            }),
            0);
  done.count_down();
}

// Somebody holds the list's lock for much of the time, and the child must not find it held.
TEST(ScopeFork, WhileOtherThreadsInspectAndOpenTheirFirstScopesAndEnd) {
  constexpr int kInScope = 30;
  std::latch ready(kInScope);
  std::latch done(1);
  std::atomic<bool> stop = false;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kInScope; ++i)
    threads.emplace_back([&] {
      const Scope scope({.name = "elsewhere"});
      ready.count_down();
      done.wait();
    });
  ready.wait();
  threads.emplace_back([&] {
    while (!stop) std::thread([] { const Scope scope({.name = "short"}); }).join();
  });
  threads.emplace_back([&] {
    while (!stop) EXPECT_FALSE(inspect().threads.empty());
  });
  const Scope scope({.name = "here"});
  Boundary boundary;
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(in_child([&] {
                alarm(10);  // a child that waits for a lock without an owner
                boundary.run({.name = "task"}, [] {});
                return scopes_shown() == std::vector<std::string>{"here"};
              }),
              0);
  }
  stop = true;
  done.count_down();
}

}  // namespace
}  // namespace carrel
