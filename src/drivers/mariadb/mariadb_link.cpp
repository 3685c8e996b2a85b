#include "drivers/mariadb/mariadb_link.h"

#include <errmsg.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "drivers/remote/resolve.h"

namespace carrel::mariadb {
namespace {

my_bool flag(bool on) noexcept {
  return static_cast<my_bool>(on);
}

void apply_tls(MYSQL* connection, const MariadbOptions& options) {
  if (options.tls == MariadbTls::off) return;
  const char* root = options.tls_root_file.empty() ? nullptr : options.tls_root_file.c_str();
  mysql_ssl_set(connection, nullptr, nullptr, root, nullptr, nullptr);
  const my_bool enforce = flag(options.tls != MariadbTls::prefer);
  const my_bool verify = flag(options.tls == MariadbTls::verify_full);
  mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &enforce);
  mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

bool is_socket(const std::string& host) noexcept {
  return host.starts_with('/');
}

// Takes an ERR of the greeting for what it is: a refusal of the connection.
SqlError connect_error(const Trouble& trouble) {
  if (!means_lost(trouble.number)) return error_of(trouble, {});
  return SqlError("sql.cannot_connect", {.message = trouble.message,
                                         .sqlstate = "08001",
                                         .native_code = static_cast<int>(trouble.number),
                                         .traits = {.retryable = true}});
}

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
    limit_ = Clock::Steady::clock::now() + grace_;
  }
}

Link::Link(const MariadbOptions& options, Clock::Steady deadline)
    : connection_(mysql_init(nullptr)) {
  if (connection_ == nullptr) throw SqlError("sql.cannot_connect", {.message = "out of memory"});
  try {
    connect(options, deadline);
    require_suitable_server(options.server_version_min);
  } catch (const SqlError&) {
    give_up();
    mysql_close(connection_);
    throw;
  }
}

Link::~Link() {
  // Closing says goodbye, which nobody waits for, unless there is no telling what would be read.
  mysql_close(connection_);
}

void Link::connect(const MariadbOptions& options, Clock::Steady deadline) {
  mysql_optionsv(connection_, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_optionsv(connection_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const my_bool no_truncation_reports = 0;
  mysql_optionsv(connection_, MYSQL_REPORT_DATA_TRUNCATION, &no_truncation_reports);
  apply_tls(connection_, options);

  // A certificate names the host, not its address; only then does the library resolve it.
  const bool by_name = options.tls == MariadbTls::verify_full;
  const auto addresses =
      by_name ? std::vector{options.host} : remote::resolve(options.host, deadline);
  const bool local = is_socket(options.host);
  const char* database = options.database.empty() ? nullptr : options.database.c_str();
  // Affected rows are the rows found; several statements at once are sent by the driver alone.
  constexpr unsigned long flags = CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS;
  Patience patience(deadline);
  for (const auto& address : addresses) {
    MYSQL* made = nullptr;
    run(
        patience,
        [&] {
          return mysql_real_connect_start(&made, connection_, local ? nullptr : address.c_str(),
                                          options.user.c_str(), options.password.c_str(), database,
                                          options.port, local ? address.c_str() : nullptr, flags);
        },
        [&](int ready) { return mysql_real_connect_cont(&made, connection_, ready); });
    if (made != nullptr) return require_tls(options.tls);
    if (patience.gone()) break;
  }
  if (patience.gone()) {
    throw SqlError("sql.deadline",
                   {.message = "the server did not answer in time", .traits = {.retryable = true}});
  }
  throw connect_error(Trouble::of(connection_));
}

// libmariadb goes on in the clear with a server that cannot encrypt, whatever it was told.
void Link::require_tls(MariadbTls tls) const {
  const bool wanted = tls == MariadbTls::require || tls == MariadbTls::verify_full;
  if (!wanted || mysql_get_ssl_cipher(connection_) != nullptr) return;
  throw SqlError(
      "sql.cannot_connect",
      {.message = "the server does not encrypt, and TLS is required", .sqlstate = "08001"});
}

void Link::require_suitable_server(unsigned long version_min) const {
  const auto version = mysql_get_server_version(connection_);
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
      patience,
      [&] { return mysql_real_query_start(&failed, connection_, sql.c_str(), sql.size()); },
      [&](int ready) { return mysql_real_query_cont(&failed, connection_, ready); });
  while (failed == 0) {
    MYSQL_RES* rows = nullptr;
    run(
        patience, [&] { return mysql_store_result_start(&rows, connection_); },
        [&](int ready) { return mysql_store_result_cont(&rows, connection_, ready); });
    if (rows == nullptr && mysql_errno(connection_) != 0) break;  // lost amid the rows
    if (rows != nullptr) replies.rows.reset(rows);
    replies.changed = static_cast<std::int64_t>(mysql_affected_rows(connection_));
    ++replies.done;
    run(
        patience, [&] { return mysql_next_result_start(&failed, connection_); },
        [&](int ready) { return mysql_next_result_cont(&failed, connection_, ready); });
    // There is no further one, unless the link was lost amid its columns' names: that is -1 too.
    if (failed < 0 && mysql_errno(connection_) == 0) return replies;
  }
  replies.trouble = Trouble::of(connection_);
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
      patience, [&] { return mysql_reset_connection_start(&failed, connection_); },
      [&](int ready) { return mysql_reset_connection_cont(&failed, connection_, ready); });
  return failed == 0;
}

bool Link::ping(Patience& patience) {
  ++round_trips_;
  int failed = 0;
  run(
      patience, [&] { return mysql_ping_start(&failed, connection_); },
      [&](int ready) { return mysql_ping_cont(&failed, connection_, ready); });
  return failed == 0;
}

void Link::give_up() noexcept {
  lost_ = true;
  const auto socket = static_cast<int>(mysql_get_socket(connection_));
  if (socket >= 0) ::shutdown(socket, SHUT_RDWR);
}

}  // namespace carrel::mariadb
