// Guide "Carry context through Asio coroutines".
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "carrel/drivers/sqlite.h"
#include "carrel/pool/worker_pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope_executor.h"
#include "carrel/session/async_transaction.h"

namespace asio = boost::asio;

namespace {

const carrel::RequestLocal<std::string> caller{"caller"};

asio::awaitable<std::string> authenticate() {
  asio::steady_timer network(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
  co_await network.async_wait(asio::use_awaitable);
  co_return "alice";
}

asio::awaitable<std::size_t> serve() {
  caller.set(co_await authenticate());
  const std::string again = co_await authenticate();  // resumed by any thread of the pool
  co_return caller.get().size() + again.size();
}

asio::awaitable<std::size_t> serve_in_two_branches() {
  using namespace asio::experimental::awaitable_operators;
  const auto executor = co_await asio::this_coro::executor;
  const auto [left, right] =
      co_await (asio::co_spawn(carrel::in_derived_scope(executor), serve(), asio::use_awaitable) &&
                asio::co_spawn(carrel::in_derived_scope(executor), serve(), asio::use_awaitable));
  co_return left + right;
}

asio::awaitable<void> rename_caller() {
  {
    const auto name = caller.borrow();
    *name += " (verified)";
  }  // gone before the next suspension
  co_await authenticate();
  const auto name = caller.borrow();  // looked up again after it
  name->append("!");
}

struct Visit {
  ~Visit() {
    // A frame that is destroyed instead of resumed has no scope: ask, and do not get().
    if (const std::string* name = caller.find()) last_seen = *name;
  }
  static inline std::string last_seen;
};

asio::awaitable<std::int64_t> withdraw(carrel::Session& bank, carrel::WorkerPool& workers,
                                       std::int64_t id, std::int64_t amount) {
  using namespace std::chrono_literals;
  const auto left = co_await bank.async_transaction(workers, {.deadline = 2s}, [&] {
    bank.execute("update account set balance = balance - $1 where id = $2", amount, id);
    return bank.execute("select balance from account where id = $1", id).one().get<std::int64_t>(0);
  });
  co_return left;
}

// A coroutine that waits for the database keeps no I/O thread.
bool withdraws_on_a_worker(asio::thread_pool& io) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("carrel_coroutines_" + std::to_string(::getpid()) + ".db");
  std::int64_t left = 0;
  {
    const auto driver = carrel::sqlite_driver({.file = file});
    carrel::Pool pool({.name = "bank"}, *driver);
    carrel::Session bank({.routes = {{"bank", &pool, {}}}});
    carrel::WorkerPool workers({.name = "database", .threads = 2});
    {
      const carrel::Scope schema({.name = "schema"});
      bank.execute("create table account (id integer primary key, balance integer not null)");
      bank.execute("insert into account values (1, 100)");
    }
    left = asio::co_spawn(carrel::scope_executor(io.get_executor(), {.name = "POST /withdrawals"}),
                          withdraw(bank, workers, 1, 30), asio::use_future)
               .get();
  }
  for (const auto* suffix : {"", "-wal", "-shm", ".lock"})
    std::filesystem::remove(file.string() + suffix);
  return left == 70;
}

}  // namespace

int main() {
  asio::thread_pool pool(2);
  auto one = asio::co_spawn(carrel::scope_executor(pool.get_executor(), {.name = "GET /orders"}),
                            serve(), asio::use_future);
  auto two = asio::co_spawn(carrel::scope_executor(asio::make_strand(pool), {.name = "GET /both"}),
                            serve_in_two_branches(), asio::use_future);
  auto renamed = asio::co_spawn(
      carrel::scope_executor(pool.get_executor(), {.name = "POST /name"}),
      [&]() -> asio::awaitable<std::string> {
        const Visit visit;
        caller.set("bob");
        co_await rename_caller();
        co_return caller.get();
      },
      asio::use_future);
  const bool good = one.get() == 10 && two.get() == 20 && renamed.get() == "bob (verified)!";
  const bool withdrawn = withdraws_on_a_worker(pool);
  pool.join();
  return good && withdrawn && Visit::last_seen == "bob (verified)!" ? EXIT_SUCCESS : EXIT_FAILURE;
}
