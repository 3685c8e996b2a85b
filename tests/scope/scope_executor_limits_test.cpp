// Where a coroutine loses its scope, and what is found when two would share one.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <latch>
#include <memory>
#include <string>

#include "carrel/scope/request_local.h"
#include "carrel/scope/scope_executor.h"
#include "scope/suspensions.h"

namespace carrel {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::use_future;
using namespace asio::experimental::awaitable_operators;

TEST(ScopeExecutorDeathTest, TwoBranchesInOneScopeAreFound) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const RequestLocal<int> number{"number"};
        asio::thread_pool pool(2);
        std::latch both_inside(2);
        const auto branch = [&]() -> awaitable<void> {
          co_await hop();
          both_inside.arrive_and_wait();  // each on a thread of its own, both in the scope
          number.set(1);
        };
        asio::co_spawn(
            scope_executor(pool.get_executor(), {.name = "shared"}),
            [&]() -> awaitable<void> { co_await (branch() && branch()); }, use_future)
            .get();
      },
      "scope 'shared' was entered by another thread while this one was still using it");
}

TEST(ScopeExecutor, BindExecutorElsewhereLosesTheScopeUntilTheNextCoAwait) {
  const RequestLocal<int> number{"number"};
  asio::thread_pool own(1);
  asio::thread_pool elsewhere(1);
  const auto serve = [&]() -> awaitable<void> {
    number.set(1);
    asio::steady_timer timer(own);
    timer.expires_at(asio::steady_timer::time_point::min());
    co_await timer.async_wait(asio::bind_executor(elsewhere.get_executor(), use_awaitable));
    EXPECT_EQ(Scope::current(), nullptr) << "resumed past the scope's executor";
    EXPECT_EQ(number.find(), nullptr);
    co_await hop();
    EXPECT_EQ(number.get(), 1);
  };
  asio::co_spawn(scope_executor(own.get_executor(), ScopeOptions{}), serve, use_future).get();
}

TEST(ScopeExecutor, FramesThatAreDestroyedAtShutdownFindNoScope) {
  struct AsksAtTheEnd {
    const RequestLocal<std::string>& tenant;
    int& ended;
    ~AsksAtTheEnd() {
      if (const std::string* const value = tenant.find()) {
        EXPECT_EQ(*value, "acme");
      }
      ++ended;
    }
  };
  const RequestLocal<std::string> tenant{"tenant"};
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  int ended = 0;
  {
    asio::io_context context;
    asio::co_spawn(
        scope_executor(context.get_executor(), {.name = "outer"}),
        [&]() -> awaitable<void> {
          tenant.set("acme");
          held.set(value);
          const AsksAtTheEnd asks{tenant, ended};
          const auto bound = tenant.bind("acme");
          Scope inner({.name = "inner"});
          held.set(value);
          co_await for_ever();
        },
        asio::detached);
    context.poll();
    EXPECT_EQ(value.use_count(), 3);
  }
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(value.use_count(), 1) << "the scopes closed with the frame";
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(ScopeExecutor, APoolThatShutsDownDestroysSuspendedFramesOutsideAnyScope) {
  struct AsksAtTheEnd {
    const RequestLocal<int>& number;
    std::atomic<int>& found_none;
    ~AsksAtTheEnd() {
      if (number.find() == nullptr && Scope::current() == nullptr) ++found_none;
    }
  };
  const RequestLocal<int> number{"number"};
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  std::atomic<int> found_none{0};
  {
    asio::thread_pool pool(2);
    std::latch suspended(3);
    for (int i = 0; i < 3; ++i)
      asio::co_spawn(
          scope_executor(pool.get_executor(), ScopeOptions{.name = "outer"}),
          [&]() -> awaitable<void> {
            number.set(1);
            const AsksAtTheEnd asks{number, found_none};
            co_await hop();
            const Scope inner({.name = "inner"});
            held.set(value);
            const auto bound = number.bind(2);
            asio::post(pool, [&] { suspended.count_down(); });
            co_await for_ever();
          },
          asio::detached);
    suspended.wait();
    pool.stop();
    pool.join();
    EXPECT_EQ(value.use_count(), 4);
  }
  EXPECT_EQ(found_none, 3);
  EXPECT_EQ(value.use_count(), 1) << "the scopes closed with their frames";
}

}  // namespace
}  // namespace carrel
