// A session whose transactions are awaited by coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <utility>

#include "carrel/pool/worker_pool.h"
#include "carrel/scope/scope_executor.h"
#include "carrel/session/async_transaction.h"
#include "session/stub_session.h"

namespace carrel::test {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_future;

// Coroutines on one I/O thread, their transactions on two workers.
class AsyncTransaction : public StubSession {
 protected:
  AsyncTransaction() { scope_.reset(); }
  ~AsyncTransaction() override {
    static_cast<void>(workers_.drain(kNoDeadline));
    io_.join();
  }

  // Runs a coroutine of a request for consumers to its end, and gives what it returned.
  template <class F>
  auto serve(F&& coroutine) {
    return asio::co_spawn(scope_executor(io_.get_executor(), {.name = "a request"}),
                          std::forward<F>(coroutine), use_future);
  }

  asio::thread_pool io_{1};
  WorkerPool workers_{{.name = "database", .threads = 2}};
};

}  // namespace carrel::test
