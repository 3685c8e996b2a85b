#include "ledger/http/server.h"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <latch>
#include <vector>

#include "carrel/base/assert.h"
#include "carrel/base/error.h"
#include "ledger/http/connection.h"

namespace carrel::ledger::http {

namespace asio = boost::asio;
using std::chrono::milliseconds;

namespace {

constexpr auto kErrorAsValue = asio::as_tuple(asio::use_awaitable);
constexpr milliseconds kAcceptRetryWait{100};  // after running out of file descriptors

// A quarter of the shortest limit, so that no limit is overrun by more than a quarter.
milliseconds sweep_interval(const ServerLimits& limits) {
  const milliseconds shortest = std::min(
      {limits.header_wait_max, limits.body_wait_max, limits.idle_wait_max, limits.write_wait_max});
  return std::clamp(shortest / 4, milliseconds(5), milliseconds(250));
}

Error listen_error(const boost::system::error_code& error, const ServerOptions& options) {
  const std::string where = fmt::format("{} port {}", options.address, options.port);
  if (error == asio::error::address_in_use)
    return {"http.address_in_use", where + " is in use by another program"};
  if (error == asio::error::access_denied)
    return {"http.address_forbidden", where + " may not be opened by this user"};
  return {"http.listen_failed", "cannot listen on " + where + ": " + error.message()};
}

asio::ip::tcp::acceptor listen(asio::io_context& context, const ServerOptions& options) {
  boost::system::error_code error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error)
    throw Error("http.address_invalid", "'" + options.address + "' is no IPv4 or IPv6 address");
  const asio::ip::tcp::endpoint endpoint(address, options.port);
  asio::ip::tcp::acceptor acceptor(context);
  acceptor.open(endpoint.protocol(), error);
  // Lets a restart listen although connections of the last run linger in TIME_WAIT; on Linux it
  // does not let two programs listen on one port.
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) throw listen_error(error, options);
  return acceptor;
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(const ServerOptions& options);
  ~Impl();

  void start(Handler handler);
  bool drain(Clock::Steady deadline);
  std::uint16_t port() const noexcept { return port_; }
  ServerStats stats() noexcept;

 private:
  asio::awaitable<void> accept_all();
  asio::awaitable<void> sweep(IoThread& home);
  void admit(asio::ip::tcp::socket socket, IoThread& home);
  void wait_until_closed();

  template <class F>
  void on_every_io_thread(F visit);  // returns once it ran on each

  ServerState state_;
  std::vector<std::unique_ptr<IoThread>> io_threads_;
  asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  bool started_ = false;
};

Server::Impl::Impl(const ServerOptions& options)
    : io_threads_([&] {
        std::vector<std::unique_ptr<IoThread>> made(std::max<std::size_t>(1, options.io_threads));
        for (auto& io_thread : made) io_thread = std::make_unique<IoThread>();
        return made;
      }()),
      acceptor_(listen(io_threads_.front()->context, options)),
      port_(acceptor_.local_endpoint().port()) {
  state_.limits = options.limits;
  state_.log = options.log;
}

Server::Impl::~Impl() {
  if (!started_) return;
  drain(Clock::Steady{});  // long over: cuts off at once
  wait_until_closed();
  for (auto& io_thread : io_threads_) io_thread->work.reset();
  for (auto& io_thread : io_threads_) io_thread->thread.join();
}

void Server::Impl::start(Handler handler) {
  CARREL_ASSERT(!started_, "a server is started once");
  started_ = true;
  state_.handler = std::move(handler);
  asio::co_spawn(io_threads_.front()->context, accept_all(), asio::detached);
  for (auto& io_thread : io_threads_) {
    asio::co_spawn(io_thread->context, sweep(*io_thread), asio::detached);
    io_thread->thread = std::thread([context = &io_thread->context] { context->run(); });
  }
}

asio::awaitable<void> Server::Impl::accept_all() {
  asio::steady_timer pause(io_threads_.front()->context);
  for (std::size_t turn = 0; acceptor_.is_open(); ++turn) {
    IoThread& home = *io_threads_[turn % io_threads_.size()];
    asio::ip::tcp::socket socket(home.context);
    const auto [error] = co_await acceptor_.async_accept(socket, kErrorAsValue);
    if (!error) {
      admit(std::move(socket), home);
    } else if (acceptor_.is_open()) {
      // Out of descriptors or memory: connections wait in the backlog until some are closed.
      if (state_.log) state_.log->warn("cannot accept connections: {}", error.message());
      pause.expires_after(kAcceptRetryWait);
      co_await pause.async_wait(kErrorAsValue);
    }
  }
}

void Server::Impl::admit(asio::ip::tcp::socket socket, IoThread& home) {
  state_.accepted.fetch_add(1, std::memory_order_relaxed);
  bool welcome = false;
  {
    const std::lock_guard lock(state_.mutex);
    welcome = state_.open < state_.limits.connections_max;
    ++state_.open;
  }
  if (!welcome) state_.turned_away.fetch_add(1, std::memory_order_relaxed);
  // The connection registers with its home, so it must be made on its home's thread.
  asio::post(home.context, [this, &home, welcome, socket = std::move(socket)]() mutable {
    auto connection = std::make_unique<Connection>(std::move(socket), state_, home);
    asio::co_spawn(
        home.context,
        [](std::unique_ptr<Connection> own, bool served) -> asio::awaitable<void> {
          if (served)
            co_await own->serve();
          else
            co_await own->turn_away();
        }(std::move(connection), welcome),
        [log = state_.log](const std::exception_ptr& failure) {
          if (!failure) return;
          try {
            std::rethrow_exception(failure);
          } catch (const std::exception& error) {
            if (log) log->error("a connection ended by an exception: {}", error.what());
          }
        });
  });
}

asio::awaitable<void> Server::Impl::sweep(IoThread& home) {
  const milliseconds interval = sweep_interval(state_.limits);
  while (!state_.draining || !home.connections.empty()) {
    home.sweep_timer.expires_after(interval);
    co_await home.sweep_timer.async_wait(kErrorAsValue);
    const Clock::Steady now = SystemClock::get().steady_now();
    for (Connection* connection : home.connections) connection->expire_if_over(now);
  }
}

template <class F>
void Server::Impl::on_every_io_thread(F visit) {
  std::latch visited(static_cast<std::ptrdiff_t>(io_threads_.size()));
  for (auto& io_thread : io_threads_)
    asio::post(io_thread->context, [&, home = io_thread.get()] {
      visit(*home);
      visited.count_down();
    });
  visited.wait();
}

bool Server::Impl::drain(Clock::Steady deadline) {
  state_.draining = true;
  if (!started_) return true;
  on_every_io_thread([this](IoThread& home) {
    boost::system::error_code ignored;  // closing a closed acceptor is fine
    if (&home == io_threads_.front().get()) acceptor_.close(ignored);
    // Closing only queues what the connection's coroutine will see, so the set stays as it is.
    for (Connection* connection : home.connections) connection->close_if_idle();
    home.sweep_timer.cancel();
  });
  {
    std::unique_lock lock(state_.mutex);
    if (state_.all_closed.wait_until(lock, deadline, [this] { return state_.open == 0; }))
      return true;
  }
  state_.cut_off = true;
  on_every_io_thread([](IoThread& home) {
    for (Connection* connection : home.connections) connection->cut_off();
  });
  return false;
}

void Server::Impl::wait_until_closed() {
  std::unique_lock lock(state_.mutex);
  state_.all_closed.wait(lock, [this] { return state_.open == 0; });
}

ServerStats Server::Impl::stats() noexcept {
  const std::lock_guard lock(state_.mutex);
  return {.accepted = state_.accepted,
          .turned_away = state_.turned_away,
          .timed_out = state_.timed_out,
          .requests = state_.requests,
          .open = state_.open};
}

Server::Server(ServerOptions options) : impl_(std::make_unique<Impl>(options)) {}
Server::~Server() = default;
void Server::start(Handler handler) {
  impl_->start(std::move(handler));
}
bool Server::drain(Clock::Steady deadline) {
  return impl_->drain(deadline);
}
std::uint16_t Server::port() const noexcept {
  return impl_->port();
}
ServerStats Server::stats() const noexcept {
  return impl_->stats();
}

}  // namespace carrel::ledger::http
