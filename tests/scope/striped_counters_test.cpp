#include "scope/striped_counters.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <latch>
#include <thread>
#include <vector>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CARREL_TEST_THREAD_SANITIZER 1
#endif
#endif

namespace carrel::scope {
namespace {

TEST(StripedCounters, AForkedChildOwnsTheStripesOfThreadsThatItHasNot) {
  std::latch all_have_one(Stripe::kOwned);
  std::latch done(1);
  std::vector<std::jthread> holders;
  for (std::uint32_t i = 0; i < Stripe::kOwned; ++i)
    holders.emplace_back([&] {
      (void)Stripe::of_this_thread();
      all_have_one.count_down();
      done.wait();
    });
  all_have_one.wait();
  int status = -1;
  std::jthread([&] {  // has not counted yet
    const pid_t child = fork();
    if (child == 0) _exit(Stripe::of_this_thread() < Stripe::kOwned ? 9 : 8);
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_GE(Stripe::of_this_thread(), Stripe::kOwned) << "none is free here";
  })
      .join();
  EXPECT_EQ(WEXITSTATUS(status), 9);
  done.count_down();
}

// ThreadSanitizer cannot follow threads that a forked child starts.
#if !defined(__SANITIZE_THREAD__) && !CARREL_TEST_THREAD_SANITIZER
TEST(StripedCounters, AForkedChildsNewThreadsLeaveItsOwnStripeAlone) {
  int status = -1;
  std::jthread([&] {
    const std::uint32_t own = Stripe::of_this_thread();
    const pid_t child = fork();
    if (child == 0) {
      std::uint32_t others = own;
      std::jthread([&] { others = Stripe::of_this_thread(); }).join();
      _exit(Stripe::of_this_thread() == own && others != own && others < Stripe::kOwned ? 9 : 8);
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
  }).join();
  EXPECT_EQ(WEXITSTATUS(status), 9);
}
#endif

}  // namespace
}  // namespace carrel::scope
