#include "carrel/scope/scope_executor.h"

#include <gtest/gtest.h>

#include <barrier>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "carrel/scope/request_local.h"
#include "scope/suspensions.h"

namespace carrel {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using asio::use_future;
using namespace asio::experimental::awaitable_operators;

static_assert(asio::execution::is_executor<scope_executor>::value);
static_assert(std::convertible_to<scope_executor, asio::any_io_executor>);

TEST(ScopeExecutor, ACoroutineKeepsItsScopeOnWhateverThreadItIsResumed) {
  const RequestLocal<std::string> tenant{"tenant"};
  const RequestLocal<int> step{"step"};
  std::mutex mutex;
  std::set<std::thread::id> threads;
  asio::thread_pool pool(4);
  std::vector<std::future<void>> ends;
  for (int request = 0; request < 32; ++request) {
    const auto serve = [&, request]() -> awaitable<void> {
      const std::string own = "tenant " + std::to_string(request);
      tenant.set(own);
      for (int i = 0; i < 50; ++i) {
        co_await hop();
        EXPECT_EQ(tenant.get(), own);
        EXPECT_EQ(step.get()++, i);
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
      }
    };
    ends.push_back(asio::co_spawn(scope_executor(pool.get_executor(), {.name = "request"}), serve,
                                  use_future));
  }
  for (auto& end : ends) end.get();
  pool.join();
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(ScopeExecutor, ACoroutineThatAnotherThreadResumesAfterEachAwaitKeepsItsScope) {
  const RequestLocal<std::string> tenant{"tenant"};
  std::vector<std::thread::id> ran_on;
  asio::io_context context;
  auto end = asio::co_spawn(
      scope_executor(context.get_executor(), {.name = "request"}),
      [&]() -> awaitable<void> {
        tenant.set("acme");
        for (int i = 0; i < 10; ++i) {
          ran_on.push_back(std::this_thread::get_id());
          co_await hop();
          EXPECT_EQ(Scope::current()->name(), "request");
          EXPECT_EQ(tenant.get(), "acme");
        }
      },
      use_future);
  // Two threads in turn, each for one handler: who resumes is never who suspended.
  std::barrier turn(2);
  const auto run_every_other = [&](int offset) {
    for (int i = 0; i < 40; ++i) {
      if (i % 2 == offset) context.run_one();
      turn.arrive_and_wait();
    }
  };
  {
    const std::jthread first([&] { run_every_other(0); });
    const std::jthread second([&] { run_every_other(1); });
  }
  end.get();
  ASSERT_EQ(ran_on.size(), 10U);
  for (std::size_t i = 1; i < ran_on.size(); ++i) EXPECT_NE(ran_on[i], ran_on[i - 1]);
}

TEST(ScopeExecutor, ClosesTheScopeWhenTheCoroutineHasEnded) {
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  asio::io_context context;
  asio::co_spawn(
      scope_executor(context.get_executor(), {.name = "request"}),
      [&]() -> awaitable<void> {
        held.set(value);
        co_await hop();
        EXPECT_EQ(value.use_count(), 2);
      },
      asio::detached);
  context.run();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(ScopeExecutor, ManyCoroutinesOnOneThreadDoNotMix) {
  const RequestLocal<int> number{"number"};
  asio::io_context context;
  for (int i = 0; i < 10; ++i)
    asio::co_spawn(
        scope_executor(context.get_executor(), {.name = "request"}),
        [&number, i]() -> awaitable<void> {
          const auto bound = number.bind(i);  // a guard lives over suspensions
          for (int n = 0; n < 10; ++n) {
            co_await hop();
            EXPECT_EQ(number.get(), i);
          }
        },
        asio::detached);
  context.run();
}

TEST(ScopeExecutor, NestedScopesLiveAcrossACoAwait) {
  const RequestLocal<std::string> tenant{"tenant"};
  asio::thread_pool pool(4);
  const auto inner_work = [&]() -> awaitable<void> {
    Scope inner({.name = "inner"});
    EXPECT_EQ(tenant.find(), nullptr);
    tenant.set("inner");
    for (int i = 0; i < 20; ++i) {
      co_await hop();
      EXPECT_EQ(Scope::current(), &inner);
      EXPECT_EQ(tenant.get(), "inner");
    }
  };
  const auto serve = [&]() -> awaitable<void> {
    tenant.set("outer");
    for (int i = 0; i < 5; ++i) {
      co_await inner_work();
      EXPECT_EQ(Scope::current()->name(), "outer");
      EXPECT_EQ(tenant.get(), "outer");
      co_await hop();
    }
  };
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 8; ++i)
    ends.push_back(
        asio::co_spawn(scope_executor(pool.get_executor(), {.name = "outer"}), serve, use_future));
  for (auto& end : ends) end.get();
}

TEST(ScopeExecutor, BranchesWithDerivedScopesRunAtTheSameTime) {
  const RequestLocal<std::string> tenant{"tenant"};
  asio::thread_pool pool(4);
  const auto branch = [&](std::string own) -> awaitable<std::string> {
    std::string inherited = tenant.get();
    tenant.set(own);
    for (int i = 0; i < 50; ++i) {
      co_await hop();
      EXPECT_EQ(tenant.get(), own);
    }
    co_return inherited;
  };
  const auto serve = [&]() -> awaitable<void> {
    tenant.set("acme");
    const auto executor = co_await asio::this_coro::executor;
    const auto [left, right] =
        co_await (asio::co_spawn(in_derived_scope(executor), branch("left"), use_awaitable) &&
                  asio::co_spawn(in_derived_scope(executor), branch("right"), use_awaitable));
    EXPECT_EQ(left, "acme");
    EXPECT_EQ(right, "acme");
    EXPECT_EQ(tenant.get(), "acme") << "a branch's set never reaches its parent";
  };
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 8; ++i)
    ends.push_back(
        asio::co_spawn(scope_executor(pool.get_executor(), ScopeOptions{}), serve, use_future));
  for (auto& end : ends) end.get();
}

TEST(ScopeExecutor, BranchesOnAStrandShareTheScope) {
  const RequestLocal<int> sum{"sum"};
  asio::thread_pool pool(4);
  const auto add = [&]() -> awaitable<void> {
    for (int i = 0; i < 100; ++i) {
      ++sum.get();
      co_await hop();
    }
  };
  const auto serve = [&]() -> awaitable<int> {
    co_await (add() && add());
    co_return sum.get();
  };
  auto total = asio::co_spawn(scope_executor(asio::make_strand(pool), {.name = "request"}), serve,
                              use_future);
  EXPECT_EQ(total.get(), 200);
}

TEST(ScopeExecutor, ACancelledCoroutineIsStillInItsScope) {
  const RequestLocal<std::string> tenant{"tenant"};
  asio::io_context context;
  asio::cancellation_signal cancel;
  std::string seen;
  const auto serve = [&]() -> awaitable<void> {
    tenant.set("acme");
    try {
      co_await for_ever();
    } catch (const boost::system::system_error&) {
      seen = tenant.get();
      throw;
    }
  };
  asio::co_spawn(scope_executor(context.get_executor(), ScopeOptions{}), serve,
                 asio::bind_cancellation_slot(cancel.slot(), [](const std::exception_ptr& failure) {
                   EXPECT_NE(failure, nullptr);
                 }));
  asio::post(context, [&] { cancel.emit(asio::cancellation_type::all); });
  context.run();
  EXPECT_EQ(seen, "acme");
  EXPECT_EQ(Scope::current(), nullptr);
}

TEST(ScopeExecutor, ACoroutineThatThrowsPassesItOnAndClosesItsScope) {
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const auto value = std::make_shared<int>(1);
  asio::thread_pool pool(2);
  auto end = asio::co_spawn(
      scope_executor(pool.get_executor(), ScopeOptions{}),
      [&]() -> awaitable<void> {
        held.set(value);
        co_await hop();
        throw std::runtime_error("out");
      },
      use_future);
  EXPECT_THROW(end.get(), std::runtime_error);
  pool.join();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(PostInScope, AFunctionOnSomebodyElsesPoolHasTheContextOfWhoeverPostedIt) {
  const RequestLocal<int> number{"number"};
  std::promise<int> seen;
  asio::thread_pool pool(1);
  {
    const Scope scope({.name = "request"});
    number.set(7);
    post_in_scope(pool, [&] {
      EXPECT_EQ(Scope::current()->name(), "request");
      number.get() += 1;
      seen.set_value(number.get());
    });
    EXPECT_EQ(seen.get_future().get(), 8);
    EXPECT_EQ(number.get(), 7);
  }
  pool.join();
}

TEST(ScopeExecutor, ATimerThatOutlivesItsRequestHoldsOnlyWhatItTook) {
  const RequestLocal<std::shared_ptr<int>> held{"held"};
  const RequestLocal<std::string> tenant{"tenant"};
  const auto value = std::make_shared<int>(1);
  asio::io_context context;
  asio::steady_timer with_context(context);
  asio::steady_timer without(context);
  std::string seen;
  bool detached_ran = false;
  const auto serve = [&]() -> awaitable<void> {
    tenant.set("acme");
    with_context.expires_at(asio::steady_timer::time_point::min());
    with_context.async_wait(
        Snapshot::capture().wrap([&](boost::system::error_code) { seen = tenant.get(); }));
    held.set(value);
    without.expires_at(asio::steady_timer::time_point::min());
    without.async_wait(
        detach([&](boost::system::error_code) { detached_ran = Scope::current() == nullptr; }));
    co_return;
  };
  auto end =
      asio::co_spawn(scope_executor(context.get_executor(), ScopeOptions{}), serve, use_future);
  while (end.wait_for(std::chrono::seconds(0)) != std::future_status::ready) context.run_one();
  EXPECT_EQ(value.use_count(), 1) << "neither timer keeps the request's scope";
  context.run();
  EXPECT_EQ(seen, "acme");
  EXPECT_TRUE(detached_ran);
}

TEST(ScopeExecutor, ReplacesTheScopeOfAnExecutorThatAlreadyHasOne) {
  asio::io_context context;
  const scope_executor first(context.get_executor(), {.name = "first"});
  const scope_executor second(asio::any_io_executor(first), {.name = "second"});
  bool ran = false;
  asio::post(second, [&] {
    ran = true;
    EXPECT_EQ(Scope::current()->name(), "second");
    EXPECT_EQ(Scope::current()->depth(), 0U);
  });
  context.run();
  EXPECT_TRUE(ran);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, scope_executor(context.get_executor(), first.scope()));
}

TEST(ScopeExecutor, PostedFunctionsRunInTheScopeToo) {
  const RequestLocal<int> number{"number"};
  asio::thread_pool pool(1);
  const scope_executor executor(pool.get_executor(), {.name = "job"});
  for (int i = 0; i < 3; ++i) asio::post(executor, [&] { ++number.get(); });
  pool.join();
  const Scope::Entry entry(*executor.scope());
  EXPECT_EQ(number.get(), 3);
}

}  // namespace
}  // namespace carrel
