// How a coroutine's transaction is cancelled.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <future>
#include <latch>
#include <thread>

#include "session/async_session.h"

namespace carrel::test {
namespace {

// Cancelling goes by the coroutine's own slot, as a server does it when a client has gone.
class CancelledTransaction : public AsyncTransaction {
 protected:
  template <class F>
  std::future<std::string> serve_until_cancelled(F&& closure) {
    return asio::co_spawn(
        scope_executor(asio::make_strand(io_), {.name = "a request"}),
        [this, closure = std::forward<F>(closure)]() -> awaitable<std::string> {
          book_.set("consumer");
          try {
            co_await session_.async_transaction(workers_, closure);
          } catch (const Error& error) {
            EXPECT_EQ(book_.get(), "consumer");
            co_return std::string(error.code());
          }
          co_return "committed";
        },
        asio::bind_cancellation_slot(signal_.slot(), use_future));
  }
  void cancel() {
    std::promise<void> done;
    asio::post(io_, [&] {
      signal_.emit(asio::cancellation_type::terminal);
      done.set_value();
    });
    done.get_future().wait();
    // Whatever the signal has posted has run once this has.
    std::promise<void> flushed;
    asio::post(io_, [&] { flushed.set_value(); });
    flushed.get_future().wait();
  }

  asio::cancellation_signal signal_;
};

TEST_F(CancelledTransaction, BeforeItHasBegunItNeverRuns) {
  std::latch busy(2);
  std::latch go_on(1);
  for (int worker = 0; worker < 2; ++worker)
    ASSERT_TRUE(workers_.post({.name = "in the way"}, [&] {
      busy.count_down();
      go_on.wait();
    }));
  busy.wait();
  auto ending = serve_until_cancelled([] { ADD_FAILURE() << "ran"; });
  while (workers_.stats().queued == 0) std::this_thread::yield();
  cancel();
  EXPECT_EQ(ending.get(), "sql.cancelled");  // while the workers are still busy
  go_on.count_down();
  EXPECT_TRUE(workers_.drain(kNoDeadline));
}

TEST_F(CancelledTransaction, TheNextStatementIsRefusedAndTheTransactionRollsBack) {
  std::latch begun(1);
  std::latch go_on(1);
  auto ending = serve_until_cancelled([&] {
    session_.execute("insert");
    begun.count_down();
    go_on.wait();
    session_.execute("another");
  });
  begun.wait();
  cancel();
  go_on.count_down();
  EXPECT_EQ(ending.get(), "sql.cancelled");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert", "1 rollback"}));
}

TEST_F(CancelledTransaction, WhatIsNotCommittedYetIsNotCommittedAnyMore) {
  std::latch begun(1);
  std::latch go_on(1);
  auto ending = serve_until_cancelled([&] {
    session_.execute("insert");
    begun.count_down();
    go_on.wait();
  });
  begun.wait();
  cancel();
  go_on.count_down();
  EXPECT_EQ(ending.get(), "sql.cancelled");
  EXPECT_EQ(sent(), (Diary{"1 begin", "1 insert", "1 rollback"}));
}

TEST_F(CancelledTransaction, ACommitThatWasSentIsWaitedFor) {
  std::latch committing(1);
  std::latch go_on(1);
  driver_.at(StubPoint::commit, [&] {
    committing.count_down();
    go_on.wait();
  });
  auto ending = serve_until_cancelled([&] { session_.execute("insert"); });
  committing.wait();
  cancel();
  go_on.count_down();
  EXPECT_EQ(ending.get(), "committed");
}

}  // namespace
}  // namespace carrel::test
