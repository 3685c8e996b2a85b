// Examples of the headers for Asio's coroutines, word for word.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>
#include <utility>

#include "carrel/pool/worker_pool.h"
#include "carrel/scope/request_local.h"
#include "carrel/scope/scope_executor.h"
#include "carrel/session/async_transaction.h"

namespace header_examples {

using boost::asio::awaitable;
using boost::asio::co_spawn;
using boost::asio::detached;
using boost::asio::use_awaitable;
using boost::asio::ip::tcp;
using namespace boost::asio::experimental::awaitable_operators;
using namespace carrel;
using namespace std::chrono_literals;

struct Cart {
  void add(const std::string& item);
  void clear();
};

awaitable<std::string> authenticate(tcp::socket& socket);
awaitable<void> send_orders(tcp::socket& socket, std::string caller);
awaitable<void> store(const Cart& cart);
awaitable<void> left();
awaitable<void> right();

const RequestLocal<std::string> caller{"caller"};
const RequestLocal<Cart> carts{"cart"};

awaitable<void> serve(tcp::socket socket) {
  caller.set(co_await authenticate(socket));
  co_await send_orders(socket, caller.get());
}

void executor_with_a_scope(boost::asio::thread_pool& pool, tcp::socket socket) {
  const auto executor = scope_executor(pool.get_executor(), {.name = "GET /orders"});
  co_spawn(executor, serve(std::move(socket)), detached);
}

awaitable<void> two_branches() {
  const auto executor = co_await boost::asio::this_coro::executor;
  co_await (co_spawn(in_derived_scope(executor), left(), use_awaitable) &&
            co_spawn(in_derived_scope(executor), right(), use_awaitable));
}

awaitable<void> borrowed(const std::string item) {
  const auto cart = carts.borrow();
  cart->add(item);
  co_await store(*cart);
  cart->clear();
}

awaitable<std::int64_t> transaction(Session& session, int amount, std::int64_t from) {
  WorkerPool workers({.name = "database", .threads = 8});
  auto balance = co_await session.async_transaction(workers, {.deadline = 2s}, [&] {
    session.execute("update {account} set balance = balance - $1 where id = $2", amount, from);
    return session.execute("select balance from {account} where id = $1", from)
        .one()
        .get<std::int64_t>(0);
  });
  co_return balance;
}

}  // namespace header_examples
