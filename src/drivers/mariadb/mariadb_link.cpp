#include "drivers/mariadb/mariadb_link.h"

#include <errmsg.h>
#include <ma_pvio.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/later.h"

namespace carrel::mariadb {
namespace {

std::string last_value_of(MYSQL_RES* rows) {
  std::string value;
  while (char** row = mysql_fetch_row(rows)) {
    value = row[0] == nullptr ? std::string() : std::string(row[0], mysql_fetch_lengths(rows)[0]);
  }
  return value;
}

}  // namespace

int Patience::wait(MYSQL* connection, int events) noexcept {
  short wanted = 0;
  if ((events & MYSQL_WAIT_READ) != 0) wanted |= POLLIN;
  if ((events & MYSQL_WAIT_WRITE) != 0) wanted |= POLLOUT;
  if ((events & MYSQL_WAIT_EXCEPT) != 0) wanted |= POLLPRI;
  for (;;) {
    const auto [waited, happened] =
        gone_ ? remote::Readiness{remote::Waited::timed_out, 0}
              : remote::wait_for(static_cast<int>(mysql_get_socket(connection)), wanted, limit_);
    if (waited == remote::Waited::ready) {
      // An error or a hang-up shows when the library reads or writes.
      if ((happened & (POLLERR | POLLHUP)) != 0) return events & ~MYSQL_WAIT_TIMEOUT;
      return ((happened & POLLIN) != 0 ? MYSQL_WAIT_READ : 0) |
             ((happened & POLLOUT) != 0 ? MYSQL_WAIT_WRITE : 0) |
             ((happened & POLLPRI) != 0 ? MYSQL_WAIT_EXCEPT : 0);
    }
    if (waited == remote::Waited::lost || canceller_ == nullptr) {
      gone_ = true;
      return MYSQL_WAIT_TIMEOUT;
    }
    std::exchange(canceller_, nullptr)->request(remote::CancelReason::deadline);
    limit_ = base::from_now(grace_);
  }
}

void close_link(MYSQL* connection) noexcept {
  const auto socket = static_cast<int>(mysql_get_socket(connection));
  if (socket >= 0) ::shutdown(socket, SHUT_RDWR);
}

Link::Link(const MariadbOptions& options, Clock::Steady deadline)
    : connection_(shake_hands(options, deadline)),
      encrypted_(mysql_get_ssl_cipher(get()) != nullptr) {
  require_suitable_server(options.server_version_min);
  interpose_reads(get());
}

// Over TLS, libmariadb's non-blocking calls take two things for granted. One is a socket that does
// not block; yet the library itself makes it block once it has connected, and whenever it is called
// in the ordinary way, to close a statement for one. Its own switch is used, which remembers what
// the socket is and costs no system call where that is right already. The other is that OpenSSL's
// list of this thread's errors is empty: what anybody has left there would be taken for an error of
// this connection.
void Link::make_ready_for_tls() noexcept {
  auto* const stream = get()->net.pvio;  // none once the link is lost
  if (stream != nullptr) stream->methods->blocking(stream, /*value=*/0, /*old_value=*/nullptr);
  ERR_clear_error();
}

void Link::require_suitable_server(unsigned long version_min) const {
  const auto version = mysql_get_server_version(get());
  if (version >= version_min) return;
  const auto text = [](unsigned long number) {
    return std::to_string(number / 10'000) + "." + std::to_string(number / 100 % 100);
  };
  throw SqlError("sql.server_too_old", {.message = "the server is version " + text(version) +
                                                   ", at least " + text(version_min) + " is needed",
                                        .native_code = static_cast<int>(version)});
}

Replies Link::ask(const std::string& sql, Patience& patience) {
  ++round_trips_;
  Replies replies;
  int failed = 0;
  run(
      patience, [&] { return mysql_real_query_start(&failed, get(), sql.c_str(), sql.size()); },
      [&](int ready) { return mysql_real_query_cont(&failed, get(), ready); });
  while (failed == 0) {
    MYSQL_RES* rows = nullptr;
    run(
        patience, [&] { return mysql_store_result_start(&rows, get()); },
        [&](int ready) { return mysql_store_result_cont(&rows, get(), ready); });
    if (rows == nullptr && mysql_errno(get()) != 0) break;  // lost amid the rows
    if (rows != nullptr) replies.rows.reset(rows);
    replies.changed = static_cast<std::int64_t>(mysql_affected_rows(get()));
    ++replies.done;
    run(
        patience, [&] { return mysql_next_result_start(&failed, get()); },
        [&](int ready) { return mysql_next_result_cont(&failed, get(), ready); });
    // There is no further one, unless the link was lost amid its columns' names: that is -1 too.
    if (failed < 0 && mysql_errno(get()) == 0) return replies;
  }
  replies.trouble = Trouble::of(get());
  if (means_lost(replies.trouble->number)) give_up();
  return replies;
}

std::optional<Trouble> Link::command(const std::string& sql, Patience& patience) {
  const auto replies = ask(sql, patience);
  if (replies.rows) answer_ = last_value_of(replies.rows.get());
  return replies.trouble;
}

bool Link::reset_session(Patience& patience) {
  ++round_trips_;
  int failed = 0;
  run(
      patience, [&] { return mysql_reset_connection_start(&failed, get()); },
      [&](int ready) { return mysql_reset_connection_cont(&failed, get(), ready); });
  return failed == 0;
}

bool Link::ping(Patience& patience) {
  ++round_trips_;
  int failed = 0;
  run(
      patience, [&] { return mysql_ping_start(&failed, get()); },
      [&](int ready) { return mysql_ping_cont(&failed, get(), ready); });
  return failed == 0;
}

void Link::give_up() noexcept {
  lost_ = true;
  close_link(get());
}

}  // namespace carrel::mariadb
