#include "carrel/session/async_transaction.h"

#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <latch>
#include <thread>
#include <vector>

#include "session/async_session.h"

namespace carrel::test {
namespace {

struct Refused {
  bool no;
};
bool rolls_back(const Refused& refused) {
  return refused.no;
}

TEST_F(AsyncTransaction, RunsOnAWorkerAndResumesWhereItWas) {
  driver_.answer(42);
  std::thread::id before;
  std::thread::id inside;
  std::thread::id after;
  auto answer = serve([&]() -> awaitable<std::int64_t> {
    book_.set("consumer");
    before = std::this_thread::get_id();
    const auto read = co_await session_.async_transaction(workers_, [&] {
      inside = std::this_thread::get_id();
      EXPECT_TRUE(session_.in_transaction());
      return session_.execute("select {account}").one().get<std::int64_t>("answer");
    });
    after = std::this_thread::get_id();
    EXPECT_FALSE(session_.in_transaction());
    EXPECT_EQ(Scope::current()->name(), "a request");
    co_return read;
  });
  EXPECT_EQ(answer.get(), 42);
  EXPECT_EQ(before, after);
  EXPECT_NE(before, inside);
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 select consumer_account", "1 commit"}));
}

TEST_F(AsyncTransaction, TheClosureReadsAndSetsTheCoroutinesOwnValues) {
  const RequestLocal<std::string> note{"note"};
  const RequestLocal<std::unique_ptr<int>, Flow::none> own{"not to be copied"};
  serve([&]() -> awaitable<void> {
    book_.set("consumer");
    own.set(std::make_unique<int>(7));
    co_await session_.async_transaction(workers_, [&] {
      EXPECT_EQ(*own.get(), 7);
      EXPECT_EQ(Scope::current()->name(), "a request");
      note.set("set by a worker");
    });
    EXPECT_EQ(note.get(), "set by a worker");
  }).get();
}

TEST_F(AsyncTransaction, FindsTheInnermostScopeOfTheCoroutine) {
  serve([&]() -> awaitable<void> {
    const Scope inner({.name = "a part"});
    book_.set("merchant");
    co_await session_.async_transaction(workers_, [&] {
      EXPECT_EQ(Scope::current()->name(), "a part");
      session_.execute("select {account}");
    });
    EXPECT_EQ(Scope::current(), &inner);
  }).get();
  EXPECT_EQ(merchant_driver_.diary().size(), 3U);
}

TEST_F(AsyncTransaction, WhatTheClosureThrowsIsThrownAndRollsBack) {
  auto code = serve([&]() -> awaitable<std::string> {
    book_.set("consumer");
    try {
      co_await session_.async_transaction(workers_, [&] {
        session_.execute("insert");
        throw Error("declined", "no");
      });
    } catch (const Error& error) {
      co_return std::string(error.code());
    }
    co_return "nothing";
  });
  EXPECT_EQ(code.get(), "declined");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert", "1 rollback"}));
}

TEST_F(AsyncTransaction, ARefusalComesBackAndRollsBack) {
  auto refused = serve([&]() -> awaitable<bool> {
    book_.set("consumer");
    const auto answer = co_await session_.async_transaction(workers_, [&] {
      session_.execute("insert");
      return Refused{true};
    });
    co_return answer.no;
  });
  EXPECT_TRUE(refused.get());
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert", "1 rollback"}));
}

TEST_F(AsyncTransaction, ACommitInDoubtIsThrownInDoubt) {
  driver_.at(StubPoint::commit, [] { throw lost_at_commit(); });
  auto in_doubt = serve([&]() -> awaitable<bool> {
    book_.set("consumer");
    try {
      co_await session_.async_transaction(workers_, {.retry = Retry::conflicts(3)},
                                          [&] { session_.execute("insert"); });
    } catch (const Error& error) {
      co_return error.in_doubt();
    }
    co_return false;
  });
  EXPECT_TRUE(in_doubt.get());
}

TEST_F(AsyncTransaction, AConflictIsRunAgainOnTheWorker) {
  driver_.at(StubPoint::commit, [] { throw conflict(); });
  auto runs = serve([&]() -> awaitable<int> {
    book_.set("consumer");
    int count = 0;
    co_await session_.async_transaction(workers_, {.retry = Retry::conflicts(1)}, [&] {
      ++count;
      session_.execute("insert");
    });
    co_return count;
  });
  EXPECT_EQ(runs.get(), 2);
}

TEST_F(AsyncTransaction, MoveOnlyValuesAndClosuresGoThrough) {
  auto seven = serve([&]() -> awaitable<std::unique_ptr<int>> {
    book_.set("consumer");
    // Named, since gcc 12 destroys a lambda's captures twice where it is written in a co_await.
    auto closure = [held = std::make_unique<int>(7)]() mutable { return std::move(held); };
    co_return co_await session_.async_transaction(workers_, std::move(closure));
  });
  EXPECT_EQ(*seven.get(), 7);
}

TEST_F(AsyncTransaction, AnAsioExecutorServesAsWorkers) {
  asio::thread_pool threads(2);
  auto inside = serve([&]() -> awaitable<bool> {
    book_.set("consumer");
    const auto io = std::this_thread::get_id();
    co_return co_await session_.async_transaction(threads.get_executor(), [&] {
      session_.execute("insert");
      return std::this_thread::get_id() != io;
    });
  });
  EXPECT_TRUE(inside.get());
  threads.join();
}

TEST_F(AsyncTransaction, WithoutACarriedScopeItIsRefused) {
  auto code = asio::co_spawn(
      io_,
      [&]() -> awaitable<std::string> {
        const Scope plain({.name = "of this thread"});
        try {
          co_await session_.async_transaction(workers_, [] {});
        } catch (const Error& error) {
          co_return std::string(error.code());
        }
        co_return "nothing";
      },
      use_future);
  EXPECT_EQ(code.get(), "no_scope");
}

// Keeps the one worker of a pool busy, and its queue of one full, until opened.
struct FullPool {
  explicit FullPool(Refusal refusal)
      : pool({.name = "full", .threads = 1, .queue_max = 1, .refusal = refusal}) {
    std::latch busy(1);
    EXPECT_TRUE(pool.post({.name = "the running one"}, [this, &busy] {
      busy.count_down();
      gate.wait();
    }));
    busy.wait();
    EXPECT_TRUE(pool.post({.name = "the queued one"}, [] {}));
  }
  void open() {
    gate.count_down();
    static_cast<void>(pool.drain(kNoDeadline));
  }
  std::latch gate{1};
  WorkerPool pool;
};

TEST_F(AsyncTransaction, AFullOrClosedPoolIsThrownAtTheCoroutine) {
  FullPool full(Refusal::refuse);
  WorkerPool closed({.name = "closed", .threads = 1});
  static_cast<void>(closed.drain(kNoDeadline));
  for (auto* pool : {&full.pool, &closed}) {
    auto code = serve([&]() -> awaitable<std::string> {
      book_.set("consumer");
      try {
        co_await session_.async_transaction(*pool, [] { ADD_FAILURE() << "ran"; });
      } catch (const Error& error) {
        EXPECT_EQ(book_.get(), "consumer");  // the scope is back
        co_return std::string(error.code()) + (error.retryable() ? ", retryable" : "");
      }
      co_return "nothing";
    });
    EXPECT_EQ(code.get(), pool == &closed ? "pool.closed, retryable" : "pool.full, retryable");
  }
  full.open();
}

// Takes tasks, and never runs them.
struct LazyWorkers {
  template <class F>
  int submit(const ScopeOptions&, F&& task) {
    kept = std::make_shared<std::decay_t<F>>(std::forward<F>(task));
    if (drops_at_once) kept.reset();
    return 0;
  }
  bool drops_at_once = false;
  std::shared_ptr<void> kept = nullptr;
};

TEST_F(AsyncTransaction, WorkersThatEndBeforeItBeginsDiscardIt) {
  LazyWorkers now{.drops_at_once = true};
  LazyWorkers later;
  for (auto* workers : {&now, &later}) {
    asio::io_context context;
    auto code = asio::co_spawn(
        scope_executor(context.get_executor(), {.name = "a request"}),
        [&]() -> awaitable<std::string> {
          book_.set("consumer");
          try {
            co_await session_.async_transaction(*workers, [] { ADD_FAILURE() << "ran"; });
          } catch (const Error& error) {
            co_return std::string(error.code()) + (error.retryable() ? ", retryable" : "");
          }
          co_return "nothing";
        },
        use_future);
    context.poll();
    workers->kept.reset();
    context.run();
    EXPECT_EQ(code.get(), "pool.discarded, retryable");
  }
}

// A pool with a full queue, that runs the task in the caller's thread and in a scope of its own;
// which is still open when the coroutine has gone on, on another thread, to its end.
struct WorkersInTheCaller {
  template <class F>
  int submit(const ScopeOptions&, F&& task) {
    const Scope own({.name = "a task"});
    {
      auto taken = std::forward<F>(task);
      taken();
    }
    coroutine_over.wait();
    EXPECT_EQ(Scope::current(), &own);
    return 0;
  }
  std::latch coroutine_over{1};
};

TEST_F(AsyncTransaction, RunInTheCallerItIsInTheCoroutinesScopeAndNotTheTasks) {
  asio::thread_pool threads(2);
  WorkersInTheCaller workers;
  auto end = asio::co_spawn(
      scope_executor(threads.get_executor(), {.name = "a request"}),
      [&]() -> awaitable<void> {
        book_.set("consumer");
        const auto io = std::this_thread::get_id();
        {
          const Scope inner({.name = "a part"});
          book_.set("merchant");
          co_await session_.async_transaction(workers, [&] {
            EXPECT_EQ(std::this_thread::get_id(), io);
            EXPECT_EQ(Scope::current(), &inner);
            session_.execute("select {account}");
          });
          EXPECT_NE(std::this_thread::get_id(), io);
          EXPECT_EQ(Scope::current(), &inner);
        }
        EXPECT_EQ(book_.get(), "consumer");
      },
      use_future);
  EXPECT_NO_THROW(end.get());
  workers.coroutine_over.count_down();
  threads.join();
  EXPECT_EQ(merchant_driver_.diary().size(), 3U);
}

TEST_F(AsyncTransaction, AFullPoolThatRunsInTheCallerServesManyCoroutinesInTheirScopes) {
  asio::thread_pool threads(2);
  FullPool full(Refusal::run_in_caller);
  std::vector<std::future<void>> ends;
  for (int request = 0; request < 16; ++request) {
    ends.push_back(asio::co_spawn(
        scope_executor(threads.get_executor(), {.name = "a request"}),
        [&, request]() -> awaitable<void> {
          const std::string own = request % 2 == 0 ? "consumer" : "merchant";
          book_.set(own);
          for (int i = 0; i < 20; ++i) {
            co_await session_.async_transaction(full.pool, [&] {
              session_.execute("insert {account}");
              EXPECT_EQ(book_.get(), own);
            });
            EXPECT_EQ(book_.get(), own);
          }
        },
        use_future));
  }
  for (auto& end : ends) EXPECT_NO_THROW(end.get());
  full.open();
  EXPECT_EQ(full.pool.stats().ran_in_caller, 16U * 20U);
  threads.join();
}

TEST_F(AsyncTransaction, ABranchThatResumesMeanwhileFindsNoScope) {
  using namespace asio::experimental::awaitable_operators;
  std::latch looked(1);
  asio::steady_timer gate(io_, asio::steady_timer::time_point::max());
  const auto transact = [&]() -> awaitable<void> {
    co_await session_.async_transaction(workers_, [&] {
      asio::post(io_, [&] { gate.cancel(); });
      looked.wait();
      EXPECT_EQ(book_.get(), "consumer");
    });
  };
  const auto look = [&]() -> awaitable<void> {
    boost::system::error_code ignored;
    co_await gate.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    EXPECT_EQ(Scope::current(), nullptr);
    EXPECT_EQ(code_of([&] { static_cast<void>(book_.get()); }), "no_scope");
    looked.count_down();
  };
  asio::co_spawn(
      scope_executor(asio::make_strand(io_), {.name = "both"}),
      [&]() -> awaitable<void> {
        book_.set("consumer");
        co_await (transact() && look());
        EXPECT_EQ(book_.get(), "consumer");
      },
      use_future)
      .get();
}

TEST_F(AsyncTransaction, ManyCoroutinesOnFewThreadsKeepTheirScopes) {
  asio::thread_pool threads(4);
  WorkerPool workers({.name = "database", .threads = 4});
  std::atomic<int> wrong{0};
  std::vector<std::future<void>> ends;
  for (int request = 0; request < 64; ++request) {
    ends.push_back(asio::co_spawn(
        scope_executor(threads.get_executor(), {.name = "a request"}),
        [&, request]() -> awaitable<void> {
          const std::string own = request % 2 == 0 ? "consumer" : "merchant";
          book_.set(own);
          for (int i = 0; i < 20; ++i) {
            co_await session_.async_transaction(workers, [&] {
              session_.execute("insert {account}");
              if (book_.get() != own) ++wrong;
            });
            if (book_.get() != own) ++wrong;
          }
        },
        use_future));
  }
  for (auto& end : ends) end.get();
  static_cast<void>(workers.drain(kNoDeadline));
  threads.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_EQ(consumer_pool_.stats().active, 0U);
}

}  // namespace
}  // namespace carrel::test
