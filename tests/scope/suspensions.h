// What coroutines of the tests await.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace carrel {

// Suspends, and is resumed by whichever thread is free.
inline boost::asio::awaitable<void> hop() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_at(boost::asio::steady_timer::time_point::min());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

inline boost::asio::awaitable<void> for_ever() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  timer.expires_at(boost::asio::steady_timer::time_point::max());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace carrel
